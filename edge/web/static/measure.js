/**
 * How fast the model is in this page: one more target of the benchmark. Nothing of the page uses it.
 *
 * @typedef {{unit: "ms", count: number, p50: number, p95: number, values: number[]}} Timings
 */

import { fetchModel, readPicture } from "./api.js";
import { BrowserReader } from "./browser_reader.js";
import { Drawing } from "./strokes.js";

/** A 7 with its bar, in pixels of a pad of 640 x 400. @type {[number, number][][]} */
const SEVEN = [
  [[250, 100], [310, 96], [370, 98], [340, 180], [315, 250], [300, 310]],
  [[285, 200], [320, 198], [365, 196]],
];

/** Between drawings, as the page itself pauses: servers answer only so many requests a second. */
const BREATH_MS = 60;

/**
 * @param {{warmup?: number, runs?: number, drawings?: number}} [counts]
 * @returns {Promise<object>} Every timing, and what it was taken on. `inference` is one image in the worker. The others
 *     are from strokes to their reading: `drawing_in_page` with finding, framing and the way to the worker and back,
 *     `drawing_by_server` with encoding, sending and all that the server does; in turns.
 */
export async function measureBrowser({ warmup = 50, runs = 300, drawings = 50 } = {}) {
  const model = await fetchModel();
  const reader = await BrowserReader.open(model.abstention);
  try {
    const { seen } = await reader.read(drawSeven(0));
    const inference = await reader.ask("time", { image: seen?.[0].image, warmup, runs });
    const [inPage, byServer] = await timeDrawings(reader, drawings);
    return {
      target: "browser",
      model: model.name,
      precision: "int8",
      runtime: "onnxruntime-web",
      runtime_version: reader.runtime.version,
      num_threads: reader.runtime.threads,
      user_agent: navigator.userAgent,
      cross_origin_isolated: crossOriginIsolated,
      warmup_runs: warmup,
      inference: summarize(inference),
      drawing_in_page: summarize(inPage),
      drawing_by_server: summarize(byServer),
    };
  } finally {
    reader.close();
  }
}

/** @param {BrowserReader} reader @param {number} count  After as many again, to warm up. */
async function timeDrawings(reader, count) {
  /** @type {((drawing: Drawing) => Promise<unknown>)[]} */
  const ways = [(drawing) => reader.read(drawing), async (drawing) => readPicture(await drawing.encode(), {})];
  /** @type {number[][]} */
  const timings = [[], []];
  for (let i = -count; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
    for (const [way, read] of ways.entries()) {
      const drawing = drawSeven(i);
      const started = performance.now();
      await read(drawing);
      if (i >= 0) timings[way].push(performance.now() - started);
    }
  }
  return timings;
}

/** Never twice the same pixels. @param {number} shift */
function drawSeven(shift) {
  const strokes = SEVEN.map((points) => ({
    width: 16,
    points: points.map(([x, y]) => /** @type {[number, number]} */ ([x + shift, y])),
  }));
  return new Drawing(strokes, 640, 400);
}

/** @param {number[]} values @returns {Timings} */
function summarize(values) {
  const sorted = [...values].sort((a, b) => a - b);
  /** @param {number} share */
  const quantile = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return { unit: "ms", count: values.length, p50: quantile(0.5), p95: quantile(0.95), values };
}
