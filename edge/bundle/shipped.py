"""The bundles inside the package: their names, and how a name is distinguished from a path."""

from pathlib import Path

from .card import CARD_NAME

SHIPPED = Path(__file__).parents[1] / "models" / "standard"


def find_shipped(folder: Path = SHIPPED.parent) -> list[Path]:
    """List the folders of the shipped bundles, by name."""
    return sorted(card.parent for card in folder.glob(f"*/{CARD_NAME}"))
