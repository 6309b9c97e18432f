/**
 * From a clean drawing to the shapes on it that may be digits.
 *
 * A drawing has no shadows, lines or noise: each connected piece of ink is one or more strokes, so only the grouping of
 * pieces into digits remains. Frames of a camera need more, see `camera_shapes.js`; photographs need far more
 * (`edge/reading/finding.py`), so the server reads them.
 *
 * @typedef {import("./types.js").Gray} Gray
 * @typedef {import("./types.js").Box} Box
 * @typedef {{box: Box, labels: Set<number>}} Piece
 * @typedef {{box: Box, ink: Gray}} Shape
 */

import { blank } from "./pixels.js";

/** Pieces above one another overlap by at least this share of the narrower one's width. */
const SHARED = 0.5;
/** They are one digit if the gap is less than this share of the larger one's height... */
const CLOSE = 0.14;
/**
 * ...or less than the first of these if one piece is less than the second, as a share of the other's height, and so too
 * small to be a digit itself.
 */
const NEAR = 0.25;
const PART = 0.6;
/** A piece smaller than this share of the typical height is a slip of the pen. */
const SMALLEST_SHARE = 0.35;
/** So is a piece smaller than this many pixels. */
const SMALLEST_SIDE = 10;

/**
 * @param {Gray} ink  The drawing.
 * @returns {Shape[]} In no particular order, each with only its own ink.
 */
export function findShapes(ink) {
  const { labels, pieces } = labelPieces(ink);
  const joined = joinPieces(pieces);
  const sides = joined.map(({ box }) => Math.max(box.width, box.height)).sort((a, b) => a - b);
  const smallest = Math.max(SMALLEST_SIDE, SMALLEST_SHARE * sides[sides.length >> 1]);
  return joined
    .filter(({ box }) => Math.max(box.width, box.height) >= smallest)
    .map((piece) => ({ box: piece.box, ink: cutOut(ink, labels, piece) }));
}

/**
 * Connected pieces of ink, diagonal neighbours included: runs of each row, united with the runs that they touch above.
 *
 * @param {Gray} ink
 */
export function labelPieces(ink) {
  const { data, width, height } = ink;
  const labels = new Int32Array(width * height);
  const parents = [0];
  /** @param {number} label */
  const root = (label) => {
    while (parents[label] !== label) label = parents[label] = parents[parents[label]];
    return label;
  };
  for (let y = 0; y < height; y++) {
    for (let i = y * width, end = i + width; i < end; i++) {
      if (!data[i]) continue;
      const first = y * width;
      let label = i > first ? labels[i - 1] : 0;
      for (let x = Math.max(i - 1, first); y && x <= Math.min(i + 1, end - 1); x++) {
        const above = labels[x - width];
        if (above && label) parents[root(above)] = root(label);
        else label = label || above;
      }
      if (!label) label = parents.push(parents.length) - 1;
      labels[i] = label;
    }
  }
  return { labels, pieces: measurePieces(labels, width, root) };
}

/**
 * @param {Int32Array} labels  Replaced by those of whole pieces.
 * @param {number} width
 * @param {(label: number) => number} root
 * @returns {Piece[]}
 */
function measurePieces(labels, width, root) {
  /** @type {Map<number, [number, number, number, number]>} */
  const edges = new Map();
  for (let i = 0; i < labels.length; i++) {
    if (!labels[i]) continue;
    const label = (labels[i] = root(labels[i]));
    const [x, y] = [i % width, Math.floor(i / width)];
    const known = edges.get(label);
    if (!known) edges.set(label, [x, y, x, y]);
    else {
      known[0] = Math.min(known[0], x);
      known[2] = Math.max(known[2], x);
      known[3] = y;
    }
  }
  return Array.from(edges, ([label, [x, y, right, bottom]]) => ({
    box: { x, y, width: right - x + 1, height: bottom - y + 1 },
    labels: new Set([label]),
  }));
}

/** Join the pieces of each digit, e.g. the bar of a 5 with its belly. @param {Piece[]} pieces @returns {Piece[]} */
export function joinPieces(pieces) {
  const whole = [...pieces];
  for (let i = 0; i < whole.length; i++) {
    const other = whole.findIndex((piece, j) => j > i && belongTogether(whole[i].box, piece.box));
    if (other < 0) continue;
    whole[i] = unite(whole[i], whole[other]);
    whole.splice(other, 1);
    // The joined box may reach pieces that neither part reached.
    i = -1;
  }
  return whole;
}

/** @param {Box} one @param {Box} other */
function belongTogether(one, other) {
  const shared = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const gap = Math.max(one.y, other.y) - Math.min(one.y + one.height, other.y + other.height);
  const [lower, higher] = [one.height, other.height].sort((a, b) => a - b);
  if (shared < SHARED * Math.min(one.width, other.width)) return false;
  return gap < CLOSE * higher || (gap < NEAR * higher && lower < PART * higher);
}

/** @param {Piece} one @param {Piece} other @returns {Piece} */
function unite(one, other) {
  const [x, y] = [Math.min(one.box.x, other.box.x), Math.min(one.box.y, other.box.y)];
  const right = Math.max(one.box.x + one.box.width, other.box.x + other.box.width);
  const bottom = Math.max(one.box.y + one.box.height, other.box.y + other.box.height);
  return { box: { x, y, width: right - x, height: bottom - y }, labels: new Set([...one.labels, ...other.labels]) };
}

/** @param {Gray} ink @param {Int32Array} labels @param {Piece} piece @returns {Gray} */
export function cutOut(ink, labels, piece) {
  const { box } = piece;
  const own = blank(box.width, box.height);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) {
      const i = (box.y + y) * ink.width + box.x + x;
      if (piece.labels.has(labels[i])) own.data[y * box.width + x] = ink.data[i];
    }
  }
  return own;
}
