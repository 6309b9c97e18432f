/**
 * From a drawing or a camera's frame to its reading: find, frame, infer, abstain. The caller passes the function that
 * runs the model.
 *
 * @typedef {import("./types.js").Gray} Gray
 * @typedef {import("./types.js").Abstention} Abstention
 * @typedef {import("./types.js").Reading} Reading
 * @typedef {(images: Uint8Array) => Promise<Float32Array>} Classify  [N * 28 * 28] pixels to [N * 10] logits.
 */

import {
  chooseDigit,
  estimateClassProbability,
  estimateDigitProbability,
  scoreDigit,
  weighCompany,
} from "./abstention.js";
import { findFrameShapes } from "./camera_shapes.js";
import { findShapes } from "./finding.js";
import { SIDE, frameDigit } from "./framing.js";
import { groupIntoRows } from "./rows.js";

/** A camera sees mostly other things: a row is read if one of its digits is at least this likely to be a digit. */
const LIKELY = 0.5;

/**
 * @param {Gray} ink
 * @param {Classify} classify
 * @param {Abstention} abstention
 * @returns {Promise<Reading>}
 */
export function readDrawing(ink, classify, abstention) {
  return readShapes(ink, findShapes, classify, abstention, 0);
}

/**
 * @param {Gray} frame  As the camera sees it, with dark or light ink.
 * @param {Classify} classify
 * @param {Abstention} abstention
 * @returns {Promise<Reading>}
 */
export function readFrame(frame, classify, abstention) {
  return readShapes(frame, findFrameShapes, classify, abstention, LIKELY);
}

/**
 * @param {Gray} picture
 * @param {(picture: Gray) => import("./finding.js").Shape[]} find
 * @param {Classify} classify
 * @param {Abstention} abstention
 * @param {number} least  Of the likelihoods of a row's digits to be digits, the highest is at least this.
 * @returns {Promise<Reading>}
 */
async function readShapes(picture, find, classify, abstention, least) {
  const started = performance.now();
  const shapes = groupIntoRows(find(picture)).flat();
  const found = performance.now();
  const images = shapes.map((shape) => frameDigit(shape.ink));
  const framed = performance.now();
  const logits = shapes.length ? await classify(concatenate(images)) : new Float32Array();
  const inferred = performance.now();
  const shown = shapes.map(({ box }, i) => ({ box, ...describe(logits.subarray(10 * i, 10 * i + 10), abstention) }));
  const read = shown.filter((guess) => guess.score >= abstention.threshold);
  const company = weighCompany(read.map((guess) => guess.digit), shown.length);
  const guesses = shown.map((guess) => ({ ...guess, ...weigh(guess, company, abstention) }));
  const rows = groupIntoRows(guesses.filter((guess) => guess.score >= abstention.threshold)).filter((row) =>
    row.some((guess) => (guess.digit_probability ?? 1) >= least),
  );
  return {
    rows: rows.map((row) => row.map((guess) => guess.digit).join("")),
    digits: rows.flat().map(({ box, ...guess }) => ({ ...guess, box: [box.x, box.y, box.width, box.height] })),
    frame: { width: picture.width, height: picture.height },
    timing_ms: { find: found - started, frame: framed - found, infer: inferred - framed },
    seen: guesses.map((guess, i) => ({
      image: images[i],
      digit: guess.score >= abstention.threshold ? guess.digit : null,
      confidence: guess.confidence,
      class_probability: guess.class_probability,
    })),
  };
}

/** @param {Float32Array} logits @param {Abstention} abstention */
function describe(logits, abstention) {
  const class_probability = estimateClassProbability(logits, abstention.temperature);
  return { digit: chooseDigit(logits), class_probability, score: scoreDigit(logits) };
}

/**
 * The probability that this digit was drawn, as the page shows it.
 *
 * @param {{score: number, class_probability: number}} guess
 * @param {number} company
 * @param {Abstention} abstention
 */
function weigh(guess, company, abstention) {
  const digit_probability = estimateDigitProbability(guess.score, company, abstention.digit_odds);
  return { digit_probability, confidence: (digit_probability ?? 1) * guess.class_probability };
}

/** @param {Uint8Array[]} images */
function concatenate(images) {
  const all = new Uint8Array(images.length * SIDE * SIDE);
  images.forEach((image, i) => all.set(image, i * SIDE * SIDE));
  return all;
}
