"""`python -m tileserver.cli` is the `comeo` command."""

from tileserver.cli.main import main

main()
