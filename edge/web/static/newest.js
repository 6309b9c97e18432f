/** Work for which only the newest input matters: one at a time, and inputs in between are dropped. */

/**
 * @template T
 * @param {(input: T) => Promise<void>} work  Deals with its own errors.
 * @param {number} pause_ms  Before each turn, so that one stroke is not hundreds.
 * @returns {(input: T) => void}
 */
export function newestOnly(work, pause_ms) {
  /** @type {{input: T} | null} */
  let waiting = null;
  let busy = false;

  async function run() {
    const input = /** @type {{input: T}} */ (waiting).input;
    waiting = null;
    await work(input);
    busy = waiting !== null;
    if (busy) setTimeout(run, pause_ms);
  }

  return (input) => {
    waiting = { input };
    if (busy) return;
    busy = true;
    setTimeout(run, pause_ms);
  };
}
