/** The fourth tab: what the server's camera sees and reads, while the tab is visible. */

import { ServerError, connection, receive, request } from "./api.js";
import { drawBoxes, shapeFrame } from "./boxes.js";
import { showAge, showLost, showNothing, showReading, showState, showWords } from "./live_view.js";
import { parseEvents } from "./sse.js";
import { PageError, inWords } from "./words.js";

/** Most readings that wait for their frame's picture: one or two seconds of them. */
const MOST_KEPT = 60;
/** Pause after a temporary failure, or when there is no picture, milliseconds. */
const RETRY_MS = 1000;
/** The server sends an event every two seconds or sooner; without one for this long, it is lost, milliseconds. */
const SILENCE_MS = 7000;
/** Interval of checking for that, and of updating the age of the reading, milliseconds. */
const LOOK_MS = 500;

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

export class LiveView {
  #chosen = false;
  /** Whether the server has a camera; null until the server has answered. @type {boolean | null} */
  #hasCamera = null;
  /** Set while the tab is visible. @type {AbortController | null} */
  #watching = null;
  /** Readings by the number of their frame. @type {Map<number, any>} */
  #readings = new Map();
  /** When the server last sent something, by `performance.now()`. */
  #heard = 0;
  /** When the shown picture was taken, by the same clock; null before the first reading. @type {number | null} */
  #seen = null;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#update());
    setInterval(() => this.#look(), LOOK_MS);
  }

  /** @param {boolean} chosen  Whether this part of the page is shown. */
  choose(chosen) {
    this.#chosen = chosen;
    this.#update();
  }

  /** Start again if the tab is visible. @param {boolean} hasCamera  Whether the server has a camera. */
  restart(hasCamera) {
    this.#hasCamera = hasCamera;
    this.#stop();
    this.#update();
  }

  #update() {
    const seen = this.#chosen && !document.hidden;
    if (!seen) return this.#stop();
    if (this.#hasCamera === false) {
      this.#seen = null;
      return showNothing("This server has no camera: start it with --camera. For your own camera, choose Camera above.");
    }
    if (this.#watching || !this.#hasCamera) return;
    this.#watching = new AbortController();
    this.#heard = performance.now();
    // The old picture counts as old until the server answers.
    if (this.#seen !== null) showLost("Asking the server…");
    const { signal } = this.#watching;
    this.#repeat(() => this.#followEvents(signal), signal, showLost);
    this.#repeat(() => this.#followPictures(signal), signal, showWords);
  }

  #stop() {
    this.#watching?.abort();
    this.#watching = null;
    this.#readings.clear();
  }

  /** A lost network reports no error, so a lost connection is detected by silence. */
  #look() {
    showAge(this.#seen === null ? null : performance.now() - this.#seen);
    if (!this.#watching || performance.now() - this.#heard < SILENCE_MS) return;
    this.#stop();
    showLost("This picture is old.");
    // The page then asks until the server answers, shows that at the top, and restarts this view.
    connection.dispatchEvent(new Event("unreachable"));
  }

  /**
   * Repeat until the tab is hidden or the server refuses.
   *
   * @param {() => Promise<void>} follow
   * @param {AbortSignal} signal
   * @param {(words: string) => void} say  Shows what failed.
   */
  async #repeat(follow, signal, say) {
    while (!signal.aborted) {
      try {
        await follow();
      } catch (error) {
        if (signal.aborted) return;
        say(inWords(error));
        // A refused request would be refused again; a failure or an overload may be temporary.
        if (error instanceof ServerError && error.status < 500 && error.status !== 429) return;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** @param {AbortSignal} signal */
  async #followEvents(signal) {
    const { body } = await request("v1/live", { signal });
    await receive(this.#takeEvents(/** @type {ReadableStream} */ (body)), signal);
  }

  /** @param {ReadableStream} body */
  async #takeEvents(body) {
    for await (const event of parseEvents(body)) {
      this.#heard = performance.now();
      if (event.event === "camera") showState(event);
      else if (event.event === "alive") this.#takeState(event);
      else this.#takeReading(event);
    }
  }

  /** @param {{state: string, age_s: number | null}} event */
  #takeState({ state, age_s }) {
    showState({ state });
    if (age_s !== null) this.#seen = performance.now() - 1000 * age_s;
  }

  /** @param {any} reading */
  #takeReading(reading) {
    this.#seen = performance.now() - reading.latency_ms;
    this.#readings.set(reading.frame, reading);
    if (this.#readings.size > MOST_KEPT) this.#readings.delete(this.#readings.keys().next().value ?? -1);
    showReading(reading);
  }

  /** @param {AbortSignal} signal */
  async #followPictures(signal) {
    let after = "";
    while (!signal.aborted) {
      const response = await request(`v1/live/frame.jpg${after}`, { signal });
      if (response.status === 204) return;
      const index = Number(response.headers.get("X-Frame-Index"));
      const bitmap = await decode(await receive(response.blob(), signal));
      after = `?after=${index}`;
      // No more pictures than the screen shows.
      await new Promise(requestAnimationFrame);
      if (!signal.aborted) this.#paint(bitmap, index);
      bitmap.close();
    }
  }

  /** @param {ImageBitmap} bitmap @param {number} index */
  #paint(bitmap, index) {
    const canvas = byId("live-picture");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    shapeFrame(byId("live-frame"), bitmap);
    showWords("");
    const reading = this.#readings.get(index) ?? [...this.#readings.values()].pop();
    const [width, height] = reading?.frame_size ?? [1, 1];
    const stable = (reading?.tracks ?? []).filter((/** @type {any} */ track) => track.stable);
    drawBoxes(byId("live-boxes"), stable, { width, height });
  }
}

/** @param {Blob} jpeg */
async function decode(jpeg) {
  try {
    return await createImageBitmap(jpeg);
  } catch {
    throw new PageError("The server's picture arrived incomplete.");
  }
}
