/**
 * Reads drawings and a camera's frames in this page: the page's end of `worker.js`.
 *
 * @typedef {import("./types.js").Gray} Gray
 * @typedef {import("./types.js").Reading} Reading
 */

import { fetchModelFile } from "./api.js";
import { PageError } from "./words.js";

/** Time limit for fourteen megabytes of WebAssembly to arrive and compile, milliseconds. */
const LOADING_MS = 60_000;

export class BrowserReader {
  /** Whether it needs the server after loading. */
  needsServer = false;
  #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  #asked = 0;
  /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  /** The error that ended it. @type {Error | null} */
  #broken = null;

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      const asked = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("error" in data) asked?.reject(describeFailure(data.error));
      else asked?.resolve(data.result);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(describeFailure(event.message));
    };
  }

  /**
   * Load the runtime and the model.
   *
   * @param {import("./types.js").Abstention} abstention
   * @throws {Error} Either cannot be loaded, or this browser cannot run it.
   */
  static async open(abstention) {
    const model = await fetchModelFile();
    const reader = new BrowserReader();
    const late = new PageError("The model in this page did not load within a minute.");
    const timer = setTimeout(() => reader.#fail(late), LOADING_MS);
    try {
      await reader.ask("load", { model, abstention });
      return reader;
    } catch (error) {
      reader.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {import("./strokes.js").Drawing} drawing @returns {Promise<Reading>} */
  read(drawing) {
    return this.ask("read", { ink: drawing.rasterize() });
  }

  /** @param {HTMLCanvasElement} frame @returns {Promise<Reading>} */
  readFrame(frame) {
    const context = /** @type {CanvasRenderingContext2D} */ (frame.getContext("2d"));
    return this.ask("readFrame", { frame: context.getImageData(0, 0, frame.width, frame.height) });
  }

  /** Send the worker a task. @param {string} task @param {object} details @returns {Promise<any>} */
  ask(task, details) {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken);
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, task, ...details });
    });
  }

  /** Fail all pending readings. */
  close() {
    this.#worker.terminate();
    this.#fail(new PageError("The model in this page was closed."));
  }

  /** @param {Error} error */
  #fail(error) {
    this.#broken = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Write the browser's own message to the console. @param {string} words */
function describeFailure(words) {
  console.warn(words);
  return new PageError("The model does not run in this page: its files did not load, or this browser cannot run them.");
}
