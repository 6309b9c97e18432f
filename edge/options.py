"""Options that commands of several stages share, so that they read and behave alike."""

from pathlib import Path

import click

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the four MNIST files; looked in before $EDGE_MNIST_DATA, the cache and the mirrors.",
)
