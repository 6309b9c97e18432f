/** Watch whether the server answers: if it does not, ask again until it does. */

import { connection, fetchModel } from "./api.js";

/** Pause between attempts, milliseconds: doubles from the first to the last. */
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [1000, 8000];

/**
 * @param {() => void} onLost
 * @param {() => void} onBack
 */
export function watchConnection(onLost, onBack) {
  let lost = false;
  connection.addEventListener("answered", () => {
    if (!lost) return;
    lost = false;
    onBack();
  });
  connection.addEventListener("unreachable", async () => {
    if (lost) return;
    lost = true;
    onLost();
    for (let pause = FIRST_PAUSE_MS; lost; pause = Math.min(2 * pause, LAST_PAUSE_MS)) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      // Any answer, also a refusal, dispatches `answered`.
      if (lost) await fetchModel().catch(() => undefined);
    }
  });
}
