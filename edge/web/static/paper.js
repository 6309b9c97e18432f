/**
 * From a camera's frame to its ink: the first steps of `edge/reading/ink/paper.py`, with its constants and reasons.
 *
 * The paper's level all over the frame is estimated on a small copy; what is clearly darker, or lighter on dark paper,
 * is ink. Ruled lines, sheets of two colours and faint strokes are left to the server's reader.
 *
 * @typedef {import("./types.js").Gray} Gray
 * @typedef {{average: Gray, darkest: Gray, lightest: Gray}} Copies
 * @typedef {{mask: Gray, depth: Gray, faintest: Gray}} Ink  mask is of 0 and 255; depth is how much darker than the
 *   paper each pixel is; faintest is the least depth that is not grain. All are as large as the frame.
 */

import { average, blank, halve, interpolate, invert, pickStrongest, pickWeakest, resize } from "./pixels.js";

const SMALL_SIDE = 160;
const PAPER_WINDOW = 1 / 6;
const FAINTEST_INK = 0.06;
const NOISE_MARGIN = 4.5;
const SHARE_OF_STRONGEST = 0.36;
const STRONGEST_THRESHOLD = 0.3;
const INK_WINDOW = 1 / 5;
const EDGE = 0.25;
const TINY_SHARE = 1 / 4;
const MEDIAN_WINDOW = 7;
/** Noise above this, in gray levels, is smoothed away first; this share of it is left then. */
const [NOISY, LEFT_BY_BLUR] = [6, 0.3];

/** @param {Gray} frame  Light or dark ink. @returns {Ink} */
export function findInk(frame) {
  let noise = estimateNoise(frame);
  let gray = frame;
  if (noise > NOISY) {
    gray = average(average(frame, 3), 3);
    noise *= LEFT_BY_BLUR;
  }
  let copies = makeCopies(gray);
  if (isInkLight(copies)) {
    gray = invert(gray);
    copies = makeCopies(gray);
  }
  const { paper, ink, faintest } = estimateLevels(copies, noise);
  const level = interpolate(paper, gray.width, gray.height);
  const threshold = interpolate(ink, gray.width, gray.height);
  return {
    mask: { ...gray, data: gray.data.map((value, i) => (level.data[i] - value > threshold.data[i] ? 255 : 0)) },
    depth: { ...gray, data: gray.data.map((value, i) => Math.max(0, level.data[i] - value)) },
    faintest: interpolate(faintest, gray.width, gray.height),
  };
}

/** The standard deviation of the camera's noise, from neighbours on a coarse grid. @param {Gray} gray */
function estimateNoise({ data, width, height }) {
  const differences = [];
  for (let y = 0; y < height; y += 9) {
    for (let x = 0; x < width - 1; x += 9) differences.push(Math.abs(data[y * width + x] - data[y * width + x + 1]));
  }
  differences.sort((a, b) => a - b);
  return (differences[differences.length >> 1] ?? 0) / 0.954;
}

/** @param {Gray} gray @returns {Copies} */
function makeCopies(gray) {
  const half = halve(gray);
  const small = resize(half, Math.min(1, SMALL_SIDE / Math.max(half.width, half.height)));
  return { average: small, ...pickExtremes(half, half, small) };
}

/** @param {Gray} dark @param {Gray} light  Where to pick the extremes. @param {Gray} small  Of the size to pick for. */
function pickExtremes(dark, light, small) {
  const reach = Math.max(1, Math.round(dark.width / small.width));
  /** @param {Gray} image */
  const shrink = (image) => {
    const picked = blank(small.width, small.height);
    for (let y = 0; y < small.height; y++) {
      const from = Math.floor((y * image.height) / small.height) * image.width;
      for (let x = 0; x < small.width; x++) {
        picked.data[y * small.width + x] = image.data[from + Math.floor((x * image.width) / small.width)];
      }
    }
    return picked;
  };
  return {
    darkest: shrink(pickWeakest(dark, reach)),
    lightest: shrink(pickStrongest(light, reach)),
  };
}

/**
 * Whether strokes are lighter than the paper: cubed, a few strong ones outweigh much faint grain.
 *
 * @param {Copies} copies
 */
function isInkLight(copies) {
  const tiny = resize(copies.average, TINY_SHARE);
  const { darkest, lightest } = pickExtremes(copies.darkest, copies.lightest, tiny);
  const paper = findMedians(tiny, MEDIAN_WINDOW);
  let balance = 0;
  paper.data.forEach((value, i) => {
    balance += Math.max(0, lightest.data[i] - value) ** 3 - Math.max(0, value - darkest.data[i]) ** 3;
  });
  return balance > 0;
}

/** @param {Gray} image @param {number} side */
function findMedians({ data, width, height }, side) {
  const reach = side >> 1;
  const medians = blank(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const around = [];
      for (let v = Math.max(0, y - reach); v <= Math.min(height - 1, y + reach); v++) {
        for (let u = Math.max(0, x - reach); u <= Math.min(width - 1, x + reach); u++) around.push(data[v * width + u]);
      }
      around.sort((a, b) => a - b);
      medians.data[y * width + x] = around[around.length >> 1];
    }
  }
  return medians;
}

/**
 * How light the paper is, and how much darker ink and all that is not grain are.
 *
 * @param {Copies} copies
 * @param {number} noise
 */
function estimateLevels(copies, noise) {
  const small = copies.average;
  const [wide, narrow] = [findWindow(small, PAPER_WINDOW), findWindow(small, INK_WINDOW)];
  const paper = average(pickWeakest(pickStrongest(small, wide), wide), 5);
  const depth = { ...small, data: paper.data.map((value, i) => Math.max(0, value - copies.darkest.data[i])) };
  const strongest = average(pickStrongest(depth, narrow), narrow);
  const faintest = { ...small, data: paper.data.map((value) => Math.max(FAINTEST_INK * value, NOISE_MARGIN * noise)) };
  const [highest, lowest] = [pickStrongest(paper, 5), pickWeakest(paper, 5)];
  const thresholds = paper.data.map((value, i) => {
    const ink = Math.min(SHARE_OF_STRONGEST * strongest.data[i], STRONGEST_THRESHOLD * value);
    // At the edge of the paper, its level is known only to within the step between the two levels.
    const step = highest.data[i] - lowest.data[i];
    return Math.max(ink, faintest.data[i], step > EDGE * value ? step : 0);
  });
  return { paper, ink: { ...small, data: thresholds }, faintest };
}

/** @param {Gray} small @param {number} share */
function findWindow(small, share) {
  return Math.floor(Math.max(small.width, small.height) * share) | 1;
}
