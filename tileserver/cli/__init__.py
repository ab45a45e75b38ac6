"""The `comeo` command."""
