"""A page of results taken apart: what tests of pages share."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VOID = {"meta", "img", "link"}


class ParsedPage(HTMLParser):
    """Its tags with their attributes, its text, and the tables under each second heading; tags must close in order."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._heading = ""
        self.feed(content)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self._open.append(tag)
        if tag == "h2":
            self._heading = ""
        if tag == "tr":
            self.tables.setdefault(self._heading, []).append([])
        if tag in {"td", "th"}:
            self.tables[self._heading][-1].append("")
        if tag == "small" and {"td", "th"} & set(self._open):
            self.tables[self._heading][-1][-1] += " | "

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        data = data.replace("\N{NO-BREAK SPACE}", " ")
        self.text += data
        if "h2" in self._open:
            self._heading += data
        if {"td", "th"} & set(self._open):
            self.tables[self._heading][-1][-1] += data

    def attributes(self, name: str) -> list[str]:
        """Values of an attribute, wherever it is."""
        return [value or "" for _, attributes in self.tags if (value := attributes.get(name)) is not None]

    def pictures(self) -> list[NDArray[np.uint8]]:
        """Embedded pictures, gray."""
        sources = [source.partition("base64,")[2] for source in self.attributes("src")]
        return [np.array(Image.open(io.BytesIO(base64.b64decode(source))).convert("L")) for source in sources]


def check_self_contained(content: str) -> ParsedPage:
    """Nothing from elsewhere, nothing that runs, no link that leads nowhere."""
    page = ParsedPage(content)
    names = page.attributes("id")
    links = page.attributes("href")
    assert not {"script", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
    # An empty icon, so that browsers ask no server for one.
    assert all(attributes["href"] == "data:," for tag, attributes in page.tags if tag == "link")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert re.search(r"https?:|@import|url\(", content) is None
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert len(names) == len(set(names))
    assert {link[1:] for link in links if link.startswith("#")} <= set(names)
    return page
