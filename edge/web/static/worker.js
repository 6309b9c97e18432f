/**
 * The model in a thread of its own, so that drawing stays smooth: onnxruntime-web (WebAssembly, one thread).
 *
 * Asked `{id, task, ...}`, it answers `{id, result}` or `{id, error}`.
 */

import { readDrawing, readFrame } from "./recognizing.js";

const RUNTIME = new URL("../runtime/", self.location.href).href;

/** @type {any} */
let ort = null;
/** @type {any} */
let session = null;
/** @type {import("./types.js").Abstention} */
let abstention = { threshold: 0, temperature: 1 };

/** @param {{model: ArrayBuffer, abstention: typeof abstention}} task */
async function load(task) {
  ort = await import(`${RUNTIME}ort.wasm.min.mjs`);
  ort.env.wasm.wasmPaths = RUNTIME;
  // One thread: an image takes less time than waking a second thread.
  ort.env.wasm.numThreads = 1;
  session = await ort.InferenceSession.create(new Uint8Array(task.model), { graphOptimizationLevel: "all" });
  abstention = task.abstention;
  const started = performance.now();
  await classify(new Uint8Array(28 * 28));
  const first_ms = performance.now() - started;
  return { version: ort.env.versions.web, threads: ort.env.wasm.numThreads, first_ms };
}

/** @type {import("./recognizing.js").Classify} */
async function classify(images) {
  const pixels = new ort.Tensor("uint8", images, [images.length / 784, 28, 28, 1]);
  const outputs = await session.run({ [session.inputNames[0]]: pixels });
  return outputs[session.outputNames[0]].data;
}

/** How long one image takes, again and again. @param {{image: Uint8Array, warmup: number, runs: number}} task */
async function time({ image, warmup, runs }) {
  const timings = [];
  for (let i = -warmup; i < runs; i++) {
    const started = performance.now();
    await classify(image);
    if (i >= 0) timings.push(performance.now() - started);
  }
  return timings;
}

/** The luma of each pixel, as JPEG and OpenCV weigh the colours. @param {ImageData} frame */
function toGray({ data, width, height }) {
  const gray = new Uint8Array(width * height);
  for (let i = 0; i < gray.length; i++) {
    gray[i] = (299 * data[4 * i] + 587 * data[4 * i + 1] + 114 * data[4 * i + 2] + 500) / 1000;
  }
  return { data: gray, width, height };
}

/** @type {Record<string, (task: any) => Promise<unknown>>} */
const TASKS = {
  load,
  time,
  classify: (task) => classify(task.images),
  read: (task) => readDrawing(task.ink, classify, abstention),
  readFrame: (task) => readFrame(toGray(task.frame), classify, abstention),
};

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ id: data.id, result: await TASKS[data.task](data) });
  } catch (error) {
    self.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) });
  }
};
