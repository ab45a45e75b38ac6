"""The viewer's page and its files."""
