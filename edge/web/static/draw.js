/**
 * The first part: what is drawn is read as it is drawn.
 *
 * @typedef {import("./choices.js").PageReader} PageReader
 */

import { UnreachableError } from "./api.js";
import { drawBoxes } from "./boxes.js";
import { newestOnly } from "./newest.js";
import { Pad } from "./pad.js";
import { formatMs, showDigits, showRows } from "./result.js";
import { inWords } from "./words.js";

/** Pause in drawing before the digits are read, milliseconds: a few movements of the pen. */
const PAUSE_MS = 60;

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/** @returns {{useReader: (reader: PageReader) => void, readAgain: () => void}} */
export function setUpDrawing() {
  const pad = new Pad(byId("pad"));
  /** @type {PageReader | null} */
  let reader = null;

  const readSoon = newestOnly(async () => {
    const used = reader;
    // A hidden pad is not read; showing it counts as a change.
    if (!used || !pad.isShown) return;
    if (pad.isEmpty) return showNothing();
    const drawing = pad.drawing();
    const started = performance.now();
    try {
      const reading = await used.read(drawing);
      if (!pad.isEmpty) show(reading, performance.now() - started, used);
    } catch (error) {
      // The replaced reader is closed; the new one reads next.
      if (used === reader) showFailure(/** @type {Error} */ (error));
    }
  }, PAUSE_MS);

  pad.addEventListener("change", () => {
    byId("undo").disabled = !pad.canUndo;
    byId("clear").disabled = pad.isEmpty;
    byId("pad-hint").hidden = !pad.isEmpty;
    readSoon(null);
  });
  connectTools(pad);
  return {
    useReader: (next) => {
      reader = next;
      readSoon(null);
    },
    readAgain: () => readSoon(null),
  };
}

/** @param {Pad} pad */
function connectTools(pad) {
  byId("undo").addEventListener("click", () => pad.undo());
  byId("clear").addEventListener("click", () => pad.clear());
  byId("pen-width").addEventListener("input", () => (pad.penWidth = byId("pen-width").valueAsNumber));
  document.addEventListener("keydown", (event) => {
    const undo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
    if (!undo || byId("draw").hidden) return;
    event.preventDefault();
    pad.undo();
  });
}

/**
 * Who draws here draws digits, so that is taken for granted: a lone 1 looks like many a line.
 *
 * @template {{digit: number | null, confidence: number, class_probability: number}} Shape
 * @param {Shape[]} shapes
 * @returns {Shape[]}
 */
function takeForDigits(shapes) {
  return shapes.map((shape) => ({ ...shape, confidence: shape.class_probability }));
}

/** @param {import("./types.js").Reading} said @param {number} took_ms @param {PageReader} reader */
function show(said, took_ms, reader) {
  const reading = { ...said, digits: takeForDigits(said.digits), seen: said.seen && takeForDigits(said.seen) };
  showRows(byId("draw-rows"), reading.rows, "No digit yet");
  showDigits(byId("draw-digits"), reading);
  drawBoxes(byId("pad-boxes"), reading.digits, reading.frame);
  const where = reader.needsServer ? "by the server" : "in this browser";
  byId("draw-note").textContent = `Read ${where} in ${formatMs(took_ms)}.`;
  byId("draw-note").classList.remove("failure");
}

function showNothing() {
  showRows(byId("draw-rows"), [], "Nothing yet");
  byId("draw-digits").replaceChildren();
  drawBoxes(byId("pad-boxes"), [], { width: 1, height: 1 });
  byId("draw-note").textContent = "";
}

/** @param {Error} error */
function showFailure(error) {
  const waiting = error instanceof UnreachableError;
  byId("draw-note").textContent = waiting ? "Not read yet: the server does not answer." : inWords(error);
  byId("draw-note").classList.add("failure");
}
