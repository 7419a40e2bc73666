"""`python -m promptreid`."""

from promptreid.cli.main import main

main()
