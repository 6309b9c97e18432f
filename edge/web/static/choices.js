/**
 * What reads: the model in this page, or the server with one of its models, runtimes and precisions.
 *
 * @typedef {import("./types.js").ServerModel} ServerModel
 * @typedef {Record<string, string>} ServerChoice  model, runtime, precision.
 * @typedef {{label: string, group: string, server: ServerChoice | null}} Choice  server is null for this page.
 */

import { readPicture } from "./api.js";
import { BrowserReader } from "./browser_reader.js";
import { PageError } from "./words.js";

/** Of a camera's frame: a tenth of the bytes, and strokes stay sharp. */
const JPEG_QUALITY = 0.85;

/**
 * @typedef {object} PageReader
 * @property {boolean} needsServer
 * @property {(drawing: import("./strokes.js").Drawing) => Promise<import("./types.js").Reading>} read
 * @property {(frame: HTMLCanvasElement) => Promise<import("./types.js").Reading>} readFrame
 * @property {() => void} [close]
 */

/** @param {ServerModel} model @returns {Choice[]} The best first. */
export function listChoices(model) {
  const runsHere = model.browser_runtime !== null && model.onnx_int8 !== null;
  /** @type {Choice[]} */
  const here = runsHere ? [{ label: "This browser, int8", group: "In this page", server: null }] : [];
  const several = new Set(model.choices.map((choice) => choice.model)).size > 1;
  const onServer = model.choices.map(({ model: name, runtime, precision }) => ({
    label: `${several ? `${name}, ` : ""}${runtime}, ${precision}`,
    group: "On the server",
    server: { model: name, runtime, precision },
  }));
  return [...here, ...onServer];
}

/** @param {HTMLSelectElement} select @param {Choice[]} choices  Each option's value is its place in these. */
export function fillSelect(select, choices) {
  select.replaceChildren();
  choices.forEach((choice, i) => {
    let group = /** @type {HTMLOptGroupElement | null} */ (select.lastElementChild);
    if (group?.label !== choice.group) {
      group = document.createElement("optgroup");
      group.label = choice.group;
      select.append(group);
    }
    group.append(new Option(choice.label, String(i)));
  });
}

/** @param {Choice} choice @param {ServerModel} model @returns {Promise<PageReader>} */
export async function openReader(choice, model) {
  const { server } = choice;
  if (server === null) return BrowserReader.open(model.abstention);
  return {
    needsServer: true,
    read: async (drawing) => readPicture(await drawing.encode(), server),
    readFrame: async (frame) => readPicture(await encodeJpeg(frame), server),
  };
}

/** @param {HTMLCanvasElement} frame @returns {Promise<Blob>} */
function encodeJpeg(frame) {
  return new Promise((resolve, reject) => {
    const take = (/** @type {Blob | null} */ blob) =>
      blob ? resolve(blob) : reject(new PageError("This browser could not encode the camera's picture."));
    frame.toBlob(take, "image/jpeg", JPEG_QUALITY);
  });
}
