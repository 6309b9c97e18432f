/**
 * A reading as text and marks, beside the picture.
 *
 * @typedef {import("./types.js").Reading} Reading
 */

import { isUnsure } from "./boxes.js";
import { SIDE } from "./framing.js";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/**
 * Rows in large digits. Changed only when they say something else, for screen readers read out what changes.
 *
 * @param {HTMLElement} output
 * @param {string[]} rows
 * @param {string} nothing  What to say when there are none.
 */
export function showRows(output, rows, nothing) {
  const text = rows.join("\n") || nothing;
  if (output.dataset.shown === text) return;
  output.dataset.shown = text;
  output.classList.toggle("empty", rows.length === 0);
  const lines = rows.length ? rows : [nothing];
  output.style.setProperty("--longest", `${Math.max(...lines.map((line) => line.length))}`);
  output.replaceChildren(...lines.map((line) => element("div", "row", line)));
}

/**
 * Each digit with how sure it is and, where the model ran here, what it saw.
 *
 * @param {HTMLElement} list
 * @param {Reading} reading
 */
export function showDigits(list, reading) {
  const shapes = reading.seen ?? reading.digits.map((digit) => ({ ...digit, image: null }));
  list.replaceChildren(...shapes.map((shape) => describeDigit(shape)));
}

/** @param {{digit: number | null, confidence: number, image: Uint8Array | null}} shape */
function describeDigit({ digit, confidence, image }) {
  const item = element("li", "digit");
  if (image) item.append(drawSeen(image));
  if (digit === null) {
    item.classList.add("refused");
    item.append(element("span", "share", "not a digit"));
    return item;
  }
  const unsure = isUnsure({ digit, confidence, box: [0, 0, 0, 0] });
  item.classList.toggle("unsure", unsure);
  item.append(element("b", "", unsure ? `${digit}?` : String(digit)));
  item.append(element("span", "share", formatShare(confidence)));
  return item;
}

/** What the model saw, ink on paper as the page has them. @param {Uint8Array} image */
function drawSeen(image) {
  const canvas = element("canvas", "seen");
  [canvas.width, canvas.height] = [SIDE, SIDE];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = context.createImageData(SIDE, SIDE);
  image.forEach((value, i) => pixels.data.set([value, value, value, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}

/** Never 100 %, which nothing is. @param {number} share */
function formatShare(share) {
  return share > 0.999 ? "> 99.9 %" : `${(100 * share).toFixed(share > 0.99 ? 1 : 0)} %`;
}

/** @param {number} ms */
export function formatMs(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
