/** The third part: what the server's camera sees and reads, as long as somebody looks. */

import { ServerError, request } from "./api.js";
import { drawBoxes, shapeFrame } from "./boxes.js";
import { showReading, showState, showWords } from "./live_view.js";
import { parseEvents } from "./sse.js";

/** Readings that wait for the picture of their frame: a second or two of them. */
const MOST_KEPT = 60;
/** After a failure that may pass, or when there is no picture, milliseconds. */
const RETRY_MS = 1000;

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

export class LiveView {
  #chosen = false;
  /** Whether the server has one; null: it has not said yet. @type {boolean | null} */
  #hasCamera = null;
  /** While somebody looks. @type {AbortController | null} */
  #watching = null;
  /** By the frame's number. @type {Map<number, any>} */
  #readings = new Map();

  constructor() {
    document.addEventListener("visibilitychange", () => this.#update());
  }

  /** @param {boolean} chosen  Whether this part of the page is shown. */
  choose(chosen) {
    this.#chosen = chosen;
    this.#update();
  }

  /** Begin anew, if somebody looks. @param {boolean} hasCamera  Whether the server has one. */
  restart(hasCamera) {
    this.#hasCamera = hasCamera;
    this.#stop();
    this.#update();
  }

  #update() {
    const seen = this.#chosen && !document.hidden;
    if (!seen) return this.#stop();
    if (this.#hasCamera === false) return showWords("This server has no camera: start it with --camera.");
    if (this.#watching || !this.#hasCamera) return;
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    this.#repeat(() => this.#followEvents(signal), signal);
    this.#repeat(() => this.#followPictures(signal), signal);
  }

  #stop() {
    this.#watching?.abort();
    this.#watching = null;
    this.#readings.clear();
  }

  /** Until nobody looks, or the server says no. @param {() => Promise<void>} follow @param {AbortSignal} signal */
  async #repeat(follow, signal) {
    while (!signal.aborted) {
      try {
        await follow();
      } catch (error) {
        if (signal.aborted) return;
        // What the server refuses it will refuse again; what fails or is too much may pass.
        const refused = error instanceof ServerError && error.status < 500 && error.status !== 429;
        showWords(/** @type {Error} */ (error).message);
        if (refused) return;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** @param {AbortSignal} signal */
  async #followEvents(signal) {
    const { body } = await request("/v1/live", { signal });
    for await (const event of parseEvents(/** @type {ReadableStream} */ (body))) {
      if (event.event === "camera") showState(event);
      else this.#take(event);
    }
  }

  /** @param {any} reading */
  #take(reading) {
    this.#readings.set(reading.frame, reading);
    if (this.#readings.size > MOST_KEPT) this.#readings.delete(this.#readings.keys().next().value ?? -1);
    showReading(reading);
  }

  /** @param {AbortSignal} signal */
  async #followPictures(signal) {
    let after = "";
    while (!signal.aborted) {
      const response = await request(`/v1/live/frame.jpg${after}`, { signal });
      if (response.status === 204) return;
      const index = Number(response.headers.get("X-Frame-Index"));
      const bitmap = await createImageBitmap(await response.blob());
      after = `?after=${index}`;
      // No more of them than the screen shows.
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
