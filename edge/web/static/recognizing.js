/**
 * From a drawing to its reading: find, frame, infer, abstain. The caller passes the function that runs the model.
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
import { findShapes } from "./finding.js";
import { SIDE, frameDigit } from "./framing.js";
import { groupIntoRows } from "./rows.js";

/**
 * @param {Gray} ink
 * @param {Classify} classify
 * @param {Abstention} abstention
 * @returns {Promise<Reading>}
 */
export async function readDrawing(ink, classify, abstention) {
  const started = performance.now();
  const shapes = groupIntoRows(findShapes(ink)).flat();
  const found = performance.now();
  const images = shapes.map((shape) => frameDigit(shape.ink));
  const framed = performance.now();
  const logits = shapes.length ? await classify(concatenate(images)) : new Float32Array();
  const inferred = performance.now();
  const shown = shapes.map(({ box }, i) => ({ box, ...describe(logits.subarray(10 * i, 10 * i + 10), abstention) }));
  const read = shown.filter((guess) => guess.score >= abstention.threshold);
  const company = weighCompany(read.map((guess) => guess.digit), shown.length);
  const guesses = shown.map((guess) => ({ ...guess, ...weigh(guess, company, abstention) }));
  const rows = groupIntoRows(guesses.filter((guess) => guess.score >= abstention.threshold));
  return {
    rows: rows.map((row) => row.map((guess) => guess.digit).join("")),
    digits: rows.flat().map(({ box, ...guess }) => ({ ...guess, box: [box.x, box.y, box.width, box.height] })),
    frame: { width: ink.width, height: ink.height },
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
