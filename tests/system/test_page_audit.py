"""The audit of pages finds what it looks for, and nothing in a page that is as it should be."""

from urllib.parse import quote

import pytest

from tests.stand_ins.chromium import Page, page
from tests.stand_ins.page_audit import audit

__all__ = ["page"]

HEAD = (
    '<!doctype html><html lang="en"><head><title>A page</title>'
    '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>'
)
BODY = "<h1>A page</h1><h2>A part</h2><p>Text</p><button>Press</button>"
CASES = {
    "nothing": (HEAD + BODY, ""),
    "lang": (HEAD.replace(' lang="en"', "") + BODY, "lang: "),
    "title": (HEAD.replace("A page", "") + BODY, "title: "),
    "viewport": (HEAD.replace("width=device-width", "width=900") + BODY, "viewport: "),
    "overflow": (HEAD + BODY + '<div style="width: 2000px">wide</div>', "overflow: "),
    "no heading": (HEAD + "<p>Text</p>", "headings: h1: 0"),
    "a level left out": (HEAD + BODY + "<h4>Small</h4>", "headings: h4"),
    "alt": (HEAD + BODY + '<img src="data:,">', "alt: "),
    "an identifier twice": (HEAD + BODY + '<p id="a">A</p><p id="a">B</p>', "id: a "),
    "faint text": (HEAD + BODY + '<p style="color: #888">Faint</p>', "contrast: "),
    "faint large text": (HEAD + BODY + '<p style="color: #aaa; font-size: 30px">Faint</p>', "contrast: "),
    "large text": (HEAD + BODY + '<p style="color: #888; font-size: 30px">Large</p>', ""),
    "text on what lets light through": (
        HEAD + BODY + '<div style="background: #000"><p style="background: #fff8; color: #333">Text</p></div>',
        "contrast: ",
    ),
    "small targets": (
        HEAD + BODY + '<button style="padding: 0; width: 14px; height: 14px; border: 0">a</button>' * 2, "target: ",
    ),
    "no focus": (HEAD + BODY + '<p><a href="#" style="outline: none">Go</a></p>', "focus: "),
    "an order of its own": (HEAD + BODY + '<p><a href="#" tabindex="3">Go</a></p>', "order: "),
    "no name": (HEAD + BODY + '<button style="width: 40px; height: 40px"></button>', "name: a button"),
    "no label": (HEAD + BODY + "<select><option>One</option></select>", "name: a combobox"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "finding"), CASES.values(), ids=CASES)
def test_a_fault_is_found_and_nothing_else(page: Page, content: str, finding: str) -> None:
    page.show(390, 844)
    page.driver.get("data:text/html;charset=utf-8," + quote(content))

    found = audit(page)

    assert [line for line in found if not (finding and line.startswith(finding))] == []
    assert bool(found) == bool(finding)
