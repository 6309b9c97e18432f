"""`python -m edge_mnist`: the command `edge-mnist`."""

from .cli import main

main()
