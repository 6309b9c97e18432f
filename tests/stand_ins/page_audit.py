"""Checks that hold for every page that people see, the served one and the documentation's, in a real browser.

Language, title, viewport, headings, images, contrast, names, sizes for fingers, focus and overflow; `page_audit.js` has
the rules. What the console says is checked at the end of each test, see `chromium.py`.
"""

from pathlib import Path

from selenium.webdriver.common.keys import Keys

from .chromium import Page

RULES = Path(__file__).with_suffix(".js").read_text()
# Roles that people operate, as assistive technology sees them.
OPERATED = frozenset({
    "application", "button", "checkbox", "combobox", "link", "listbox", "radio", "searchbox", "slider",
    "switch", "tab", "tabpanel", "textbox",
})  # fmt: skip


def audit(page: Page) -> set[str]:
    """What is wrong with the page as it is shown now, a line each; empty is good."""
    # The browser shows the focus to those who use the keyboard.
    page.press(Keys.TAB)
    wrong = {f"{rule}: {what}" for rule, what in page.run(RULES)}
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    for node in nodes:
        role = node.get("role", {}).get("value")
        if not node["ignored"] and role in OPERATED and not node.get("name", {}).get("value", "").strip():
            found = page.driver.execute_cdp_cmd("DOM.describeNode", {"backendNodeId": node["backendDOMNodeId"]})["node"]
            wrong.add(f"name: a {role} has none, {found['localName']} {found.get('attributes')}"[:200])
    return wrong
