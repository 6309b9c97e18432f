/**
 * From a camera's frame to the shapes on it that may be digits: the main steps of `edge/reading/finding.py`, with the
 * same constants and reasons.
 *
 * Digits that touch, ruled lines and frames around digits need more: the server's reader has it.
 *
 * @typedef {import("./types.js").Gray} Gray
 * @typedef {import("./types.js").Box} Box
 * @typedef {import("./finding.js").Piece} Piece
 * @typedef {import("./finding.js").Shape} Shape
 * @typedef {import("./paper.js").Ink} Ink
 */

import { cutOut, joinPieces, labelPieces } from "./finding.js";
import { findInk } from "./paper.js";
import { dilate } from "./pixels.js";

const SMALLEST_HEIGHT = 11;
const SMALLEST_SHARE = 0.35;
const LARGEST_SHARE = 3;
const THIN = 3;
const WIDEST_ASPECT = 5;
const STRONG = 1.7;
const SPAN = 0.3;
const LINE_ASPECT = 7;
/** Of a fine pattern, such as cloth, only the largest pieces are looked at. */
const MOST_SHAPES = 200;

/** @param {Gray} frame @returns {Shape[]} In no particular order, each with only its own ink. */
export function findFrameShapes(frame) {
  const ink = findInk(frame);
  const { labels, pieces } = labelPieces(ink.mask);
  const likely = pieces
    .filter(({ box }) => Math.max(box.width, box.height) >= SMALLEST_HEIGHT >> 1)
    .filter(({ box }) => !liesAtBorder(box, frame) && !isLine(box, frame))
    .filter((piece) => isStrong(piece.box, ink))
    .sort((a, b) => b.box.height - a.box.height)
    .slice(0, MOST_SHAPES);
  return keepLikely(joinPieces(likely)).map((piece) => ({ box: piece.box, ink: cutInk(ink, labels, piece) }));
}

/** Whether a shape touches the frame's edge: it goes on outside. @param {Box} box @param {Gray} frame */
function liesAtBorder({ x, y, width, height }, frame) {
  return x <= 1 || y <= 1 || x + width >= frame.width - 1 || y + height >= frame.height - 1;
}

/** Whether a shape is a line, or so large that it may contain one. @param {Box} box @param {Gray} frame */
function isLine({ width, height }, frame) {
  return width > LINE_ASPECT * height || (width > SPAN * frame.width && width > WIDEST_ASPECT * height);
}

/**
 * Whether its darkest pixel is well below the threshold of ink; a blot of the paper's grain rarely is.
 *
 * @param {Box} box
 * @param {Ink} ink
 */
function isStrong(box, { depth, faintest }) {
  for (let y = box.y; y < box.y + box.height; y++) {
    for (let i = y * depth.width + box.x, end = i + box.width; i < end; i++) {
      if (depth.data[i] > STRONG * faintest.data[i]) return true;
    }
  }
  return false;
}

/** Drop shapes that are too wide, or too small or too large beside the others. @param {Piece[]} pieces */
function keepLikely(pieces) {
  const digits = pieces.filter(
    ({ box }) => box.width <= WIDEST_ASPECT * box.height && box.height >= SMALLEST_HEIGHT,
  );
  const typical = findTypicalHeight(digits.map(({ box }) => box));
  return digits.filter(({ box }) => box.height >= SMALLEST_SHARE * typical && box.height <= LARGEST_SHARE * typical);
}

/** The median height, each shape weighted by its height, or less if it is thin. @param {Box[]} boxes */
function findTypicalHeight(boxes) {
  const sizes = boxes.map((box) => [box.height, Math.min(box.height, THIN * box.width)]).sort(([a], [b]) => a - b);
  let left = sizes.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  return (sizes.find(([, weight]) => (left -= weight) <= 0) ?? [0])[0];
}

/**
 * Its ink, with the soft edge just outside the threshold.
 *
 * @param {Ink} ink
 * @param {Int32Array} labels
 * @param {Piece} piece
 */
function cutInk({ mask, depth }, labels, piece) {
  const own = dilate(cutOut(mask, labels, piece), 3);
  const { x, y, width } = piece.box;
  const start = y * depth.width + x;
  return {
    ...own,
    data: own.data.map((value, i) => value && depth.data[start + Math.floor(i / width) * depth.width + (i % width)]),
  };
}
