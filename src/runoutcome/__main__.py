"""`python -m runoutcome` is the command `runoutcome`."""

from .cli import main

main()
