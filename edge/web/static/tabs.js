/**
 * The parts of the page as tabs: arrow keys go from one to the next, and only the chosen one is in the tab
 * order.
 */

/**
 * @param {HTMLElement} list  Of role tablist.
 * @param {(name: string) => void} onChoose  Called with the panel's id.
 * @returns {{suggest: (name: string) => void}} Chooses a panel, unless the address or a person chose one before.
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

  let isChosen = false;
  /** @param {HTMLElement} tab */
  const chooseByHand = (tab) => {
    isChosen = true;
    choose(tab);
  };

  list.addEventListener("keydown", (event) => {
    const target = neighbour(tabs, event.key);
    if (!target) return;
    event.preventDefault();
    target.focus();
    chooseByHand(target);
  });
  for (const tab of tabs) {
    tab.addEventListener("click", () => chooseByHand(tab));
    // Using a panel counts as choosing it.
    for (const kind of ["pointerdown", "keydown"]) panelOf(tab).addEventListener(kind, () => (isChosen = true));
  }
  const byAddress = () => tabs.find((tab) => addressOf(tab) === location.hash);
  window.addEventListener("hashchange", () => {
    const tab = byAddress();
    if (tab) chooseByHand(tab);
  });
  const first = byAddress();
  isChosen = first !== undefined;
  choose(first ?? tabs[0]);
  return {
    suggest: (name) => {
      const tab = tabs.find((each) => panelOf(each).id === name);
      if (tab && !isChosen) chooseByHand(tab);
    },
  };
}

/** @param {HTMLElement} tab */
function panelOf(tab) {
  return /** @type {HTMLElement} */ (document.getElementById(tab.getAttribute("aria-controls") ?? ""));
}

/** Not the panel's id itself: browsers would start the tab order at that element. @param {HTMLElement} tab */
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
