"""`python -m focusmate_server`: the command line."""

from focusmate_server.cli import main

main()
