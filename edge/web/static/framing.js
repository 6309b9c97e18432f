/**
 * From ink to 28x28, framed as MNIST framed it: the method of `edge/reading/framing.py`, step by step, for the model in the
 * page.
 *
 * A test holds the two against each other. Constants and reasons are that file's.
 *
 * @typedef {import("./types.js").Gray} Gray
 */

import { blank, dilate, erode, measureDistances, pad, resize, roundHalfEven } from "./pixels.js";

export const SIDE = 28;
const BOX_SIDE = 20;
const WORKING_SIDE = 40;
const STROKE_SHARE = 0.11;
const THICK_SHARE = 0.22;
const FAINTEST = 0.2;

/**
 * Frame one digit.
 *
 * @param {Gray} ink  Cropped to the digit; any size, contrast and stroke.
 * @returns {Uint8Array} [28 * 28]; all zeros where there is no ink.
 */
export function frameDigit(ink) {
  if (!ink.data.length) return new Uint8Array(SIDE * SIDE);
  const strokes = evenOut(resizeTo(ink, WORKING_SIDE));
  if (!strokes.data.some(Boolean)) return new Uint8Array(SIDE * SIDE);
  return centre(resizeTo(fitPen(strokes), BOX_SIDE));
}

/** Scale so that the longer side has this length. @param {Gray} image @param {number} side */
function resizeTo(image, side) {
  return resize(image, side / Math.max(image.width, image.height));
}

/** Stretch contrast so that strokes are at about 255, and paper at 0. @param {Gray} ink @returns {Gray} */
function evenOut(ink) {
  const strongest = ink.data.reduce((a, b) => Math.max(a, b), 0);
  const strong = ink.data.filter((value) => value > 0.5 * strongest);
  if (!strong.length) return blank(ink.width, ink.height);
  const gain = Math.fround(255 / (strong.reduce((sum, value) => sum + value, 0) / strong.length));
  const data = ink.data.map((value) => {
    const bright = Math.min(255, roundHalfEven(Math.fround(value * gain)));
    return bright > 255 * FAINTEST ? bright : 0;
  });
  return { ...ink, data };
}

/** Widen strokes that are thinner than MNIST's; thin those that are thicker. @param {Gray} strokes */
function fitPen(strokes) {
  const side = Math.max(strokes.width, strokes.height);
  const width = measureStroke(strokes);
  const missing = roundHalfEven(STROKE_SHARE * side - width);
  const surplus = roundHalfEven(width - THICK_SHARE * side);
  if (missing >= 1) return dilate(pad(strokes, (missing + 1) >> 1), missing + 1);
  return surplus >= 1 ? erode(strokes, surplus + 1) : strokes;
}

/** The mean width of strokes, in pixels. @param {Gray} strokes */
function measureStroke(strokes) {
  const mask = pad({ ...strokes, data: strokes.data.map((value) => (value > 127 ? 255 : 0)) }, 1);
  const inside = measureDistances(mask).filter((distance) => distance > 0);
  const mean = inside.reduce((sum, distance) => sum + distance, 0) / Math.max(1, inside.length);
  return Math.max(1, 4 * (mean - 0.5));
}

/** Place the centre of mass on pixel (14, 14), by whole pixels, without cutting any off. @param {Gray} small */
function centre(small) {
  let [total, across, down] = [0, 0, 0];
  small.data.forEach((value, i) => {
    total += value;
    across += value * (i % small.width);
    down += value * Math.floor(i / small.width);
  });
  const top = place(down / (total || 1), small.height);
  const left = place(across / (total || 1), small.width);
  const framed = new Uint8Array(SIDE * SIDE);
  for (let y = 0; y < small.height; y++) {
    framed.set(small.data.subarray(y * small.width, (y + 1) * small.width), (top + y) * SIDE + left);
  }
  return framed;
}

/** @param {number} middle @param {number} length */
function place(middle, length) {
  return Math.min(Math.max(roundHalfEven(SIDE / 2 - middle), 0), SIDE - length);
}
