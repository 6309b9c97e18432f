/**
 * The third tab: the visitor's own camera, read in this page or, by single frames, by the server. The camera is on only
 * while the tab is visible.
 *
 * @typedef {import("./choices.js").PageReader} PageReader
 * @typedef {import("./types.js").Reading} Reading
 */

import { ServerError } from "./api.js";
import { drawBoxes, shapeFrame } from "./boxes.js";
import { closeCamera, explainNoCamera, listCameras, openCamera } from "./media_camera.js";
import { formatMs, showRows } from "./result.js";
import { inWords } from "./words.js";

/** The longer side of a frame that is read in this page, and of one that is sent, pixels. */
const [PAGE_SIDE, SERVER_SIDE] = [640, 1280];
/** Least time from one frame to the next, milliseconds: read in this page, by the server, and after a failure. */
const [PAGE_MS, SERVER_MS, RETRY_MS] = [50, 125, 1000];
/** Frames in a row that agree before their digits are announced, and that have none before nothing is. */
const [AGREE, MISSING] = [2, 3];

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class CameraView {
  #chosen = false;
  /** Whether the camera was started and not stopped. */
  #started = false;
  /** Set while the camera is on or being opened. @type {AbortController | null} */
  #watching = null;
  /** @type {PageReader | null} */
  #reader = null;
  #frame = document.createElement("canvas");

  constructor() {
    document.addEventListener("visibilitychange", () => this.#update());
    byId("camera-button").addEventListener("click", () => this.#switch(!this.#started));
    byId("camera-device").addEventListener("change", () => {
      this.#close();
      this.#update();
    });
    const why = explainNoCamera();
    byId("camera-button").disabled = why !== "";
    if (why) showWords(why);
  }

  /** @param {boolean} chosen  Whether this part of the page is shown. */
  choose(chosen) {
    this.#chosen = chosen;
    this.#update();
  }

  /** @param {PageReader} reader  Reads from the next frame on. */
  useReader(reader) {
    this.#reader = reader;
  }

  /** @param {boolean} started @param {string} [words]  Shown instead of the picture. */
  #switch(started, words = "The camera is off") {
    this.#started = started;
    byId("camera-button").textContent = started ? "Stop the camera" : "Start the camera";
    if (!started) showWords(words);
    this.#update();
  }

  #update() {
    if (!this.#started || !this.#chosen || document.hidden) this.#close();
    else if (!this.#watching) this.#open();
  }

  /** Also the camera's light goes off. */
  #close() {
    this.#watching?.abort();
    this.#watching = null;
    byId("camera-video").srcObject = null;
    drawBoxes(byId("camera-boxes"), [], { width: 1, height: 1 });
    showRows(byId("camera-rows"), [], "Nothing yet");
    byId("camera-note").textContent = "";
  }

  async #open() {
    const { signal } = (this.#watching = new AbortController());
    showWords("Waiting for the camera…");
    try {
      const stream = await openCamera(byId("camera-device").value);
      // Meanwhile it may have been stopped, or another one chosen.
      if (signal.aborted) return closeCamera(stream);
      signal.addEventListener("abort", () => closeCamera(stream));
      const lost = () => this.#switch(false, "The camera was disconnected. Connect it, and start again.");
      stream.getVideoTracks()[0].addEventListener("ended", lost);
      byId("camera-video").srcObject = stream;
      await listCameras(byId("camera-device"), stream);
      byId("camera-choice").hidden = byId("camera-device").length < 2;
      await this.#readFrames(signal);
    } catch (error) {
      if (signal.aborted) return;
      byId("camera-device").replaceChildren();
      byId("camera-choice").hidden = true;
      this.#switch(false, inWords(error));
    }
  }

  /** One frame at a time, always the newest. @param {AbortSignal} signal */
  async #readFrames(signal) {
    const steady = new SteadyRows();
    for (;;) {
      await nextFrame(byId("camera-video"));
      if (signal.aborted) return;
      showWords("");
      shapeFrame(byId("camera-frame"), videoSize());
      const reader = this.#reader;
      const started = performance.now();
      if (reader) await this.#readFrame(reader, steady, signal);
      if (signal.aborted) return;
      const failed = byId("camera-note").classList.contains("failure");
      const least = failed ? RETRY_MS : reader?.needsServer ? SERVER_MS : PAGE_MS;
      await pause(Math.max(0, least - (performance.now() - started)));
    }
  }

  /** @param {PageReader} reader @param {SteadyRows} steady @param {AbortSignal} signal */
  async #readFrame(reader, steady, signal) {
    const started = performance.now();
    try {
      const reading = await reader.readFrame(this.#grab(reader.needsServer ? SERVER_SIDE : PAGE_SIDE));
      if (!signal.aborted) show(reading, steady.update(reading.rows), reader, performance.now() - started);
    } catch (error) {
      // The replaced reader is closed; the new one reads next.
      if (signal.aborted || reader !== this.#reader) return;
      // A refused request would be refused again.
      if (error instanceof ServerError && error.status < 500 && error.status !== 429) throw error;
      showFailure(/** @type {Error} */ (error));
    }
  }

  /** @param {number} side  Longest side of the copy. */
  #grab(side) {
    const { width, height } = videoSize();
    const scale = Math.min(1, side / Math.max(width, height));
    [this.#frame.width, this.#frame.height] = [Math.round(width * scale), Math.round(height * scale)];
    const context = this.#frame.getContext("2d", { willReadFrequently: true });
    context?.drawImage(byId("camera-video"), 0, 0, this.#frame.width, this.#frame.height);
    return this.#frame;
  }
}

/** Rows that neither flicker nor follow a single misread frame. */
class SteadyRows {
  /** @type {string[]} */
  #announced = [];
  #last = "";
  #count = 0;

  /** @param {string[]} rows  Of the next frame. @returns {string[]} Those to announce. */
  update(rows) {
    const text = rows.join("\n");
    this.#count = text === this.#last ? this.#count + 1 : 1;
    this.#last = text;
    if (this.#count >= (rows.length ? AGREE : MISSING)) this.#announced = rows;
    return this.#announced;
  }
}

function videoSize() {
  const { videoWidth, videoHeight } = byId("camera-video");
  return { width: videoWidth, height: videoHeight };
}

/** Wait until the video shows another frame. @param {HTMLVideoElement} video */
function nextFrame(video) {
  return new Promise((resolve) => {
    // Older browsers tell nothing of frames, only when to paint.
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(resolve);
    else requestAnimationFrame(() => resolve(byId("camera-video").videoWidth ? 0 : nextFrame(video)));
  });
}

/** @param {Reading} reading @param {string[]} rows @param {PageReader} reader @param {number} took_ms */
function show(reading, rows, reader, took_ms) {
  showRows(byId("camera-rows"), rows, "No digits in view");
  drawBoxes(byId("camera-boxes"), reading.digits, reading.frame);
  const where = reader.needsServer ? "Each frame is sent to the server" : "The video does not leave this page";
  byId("camera-note").textContent = `${where}. Read in ${formatMs(took_ms)}.`;
  byId("camera-note").classList.remove("failure");
}

/** @param {Error} error */
function showFailure(error) {
  showRows(byId("camera-rows"), [], "Not read");
  drawBoxes(byId("camera-boxes"), [], { width: 1, height: 1 });
  byId("camera-note").textContent = inWords(error);
  byId("camera-note").classList.add("failure");
}

/** Over the picture, instead of it; the empty string takes them away. @param {string} words */
function showWords(words) {
  if (byId("camera-words").textContent !== words) byId("camera-words").textContent = words;
  byId("camera-words").hidden = words === "";
}
