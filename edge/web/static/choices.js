/**
 * What reads: the model in this page, or the server with one of its models, runtimes and precisions.
 *
 * @typedef {import("./types.js").ServerModel} ServerModel
 * @typedef {Record<string, string>} ServerChoice  model, runtime, precision.
 * @typedef {{label: string, group: string, server: ServerChoice | null}} Choice  server is null for this page.
 */

import { readPicture } from "./api.js";
import { BrowserReader } from "./browser_reader.js";

/**
 * @typedef {object} DrawingReader
 * @property {boolean} needsServer
 * @property {(drawing: import("./strokes.js").Drawing) => Promise<import("./types.js").Reading>} read
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

/** @param {Choice} choice @param {ServerModel} model @returns {Promise<DrawingReader>} */
export async function openReader(choice, model) {
  const { server } = choice;
  if (server === null) return BrowserReader.open(model.abstention);
  return { needsServer: true, read: async (drawing) => readPicture(await drawing.encode(), server) };
}
