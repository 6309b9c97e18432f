/**
 * The three parts of the page as tabs: arrow keys go from one to the next, and only the chosen one is in the tab
 * order.
 */

/**
 * @param {HTMLElement} list  Of role tablist.
 * @param {(name: string) => void} onChoose  Told the panel's id.
 */
export function setUpTabs(list, onChoose) {
  const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")]);

  /** @param {HTMLElement} chosen */
  function choose(chosen) {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      panelOf(tab).hidden = tab !== chosen;
    }
    const name = panelOf(chosen).id;
    history.replaceState(null, "", addressOf(chosen));
    onChoose(name);
  }

  list.addEventListener("keydown", (event) => {
    const target = neighbour(tabs, event.key);
    if (!target) return;
    event.preventDefault();
    target.focus();
    choose(target);
  });
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
  const byAddress = () => tabs.find((tab) => addressOf(tab) === location.hash);
  window.addEventListener("hashchange", () => {
    const tab = byAddress();
    if (tab) choose(tab);
  });
  choose(byAddress() ?? tabs[0]);
}

/** @param {HTMLElement} tab */
function panelOf(tab) {
  return /** @type {HTMLElement} */ (document.getElementById(tab.getAttribute("aria-controls") ?? ""));
}

/** Not the panel's id alone: browsers begin the tab order at what an address points to. @param {HTMLElement} tab */
function addressOf(tab) {
  return `#/${panelOf(tab).id}`;
}

/** @param {HTMLElement[]} tabs @param {string} key */
function neighbour(tabs, key) {
  const at = tabs.findIndex((tab) => tab === document.activeElement);
  /** @type {Record<string, number>} */
  const targets = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 };
  return key in targets ? tabs[targets[key] % tabs.length] : null;
}
