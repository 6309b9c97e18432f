/**
 * The token that a server beyond this machine asks for. It never stays in the address, where histories would keep it.
 */

const KEY = "edge-mnist-token";

/** Move the token out of `#token=...`, if there is one. */
export function takeTokenFromAddress() {
  const match = /^#token=(.+)$/.exec(location.hash);
  if (!match) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    keepToken(decodeURIComponent(match[1]));
  } catch {
    // Text that cannot be decoded is not a token; the page asks for one.
  }
}

/** Where the browser keeps nothing for this page, as in some frames: until it is left. @type {string | null} */
let kept = null;

/** @returns {string | null} */
export function currentToken() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return kept;
  }
}

/** For as long as this tab is open. @param {string} token */
export function keepToken(token) {
  kept = token.trim();
  try {
    sessionStorage.setItem(KEY, kept);
  } catch {
    // It stays in `kept`.
  }
}

/**
 * Ask for the token in the page's form.
 *
 * @param {boolean} refused  Whether one was given that did not fit.
 * @returns {Promise<boolean>} Whether there is a new one.
 */
export function askForToken(refused) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("token-dialog"));
  const input = /** @type {HTMLInputElement} */ (document.getElementById("token"));
  const refusal = /** @type {HTMLElement} */ (document.getElementById("token-refused"));
  refusal.textContent = refused ? "The server refused that token. Copy all of it, as it was printed." : "";
  input.setAttribute("aria-invalid", String(refused));
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      const given = dialog.returnValue === "ok" && input.value.trim() !== "";
      if (given) keepToken(input.value);
      resolve(given);
    };
  });
}
