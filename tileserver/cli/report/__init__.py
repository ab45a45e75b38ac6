"""Reports of `comeo qualify`: self-contained HTML files that need neither a network nor scripts."""
