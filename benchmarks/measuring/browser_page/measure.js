/**
 * Measures a model in this page, with the worker that the page of `edge-mnist serve` reads drawings with.
 *
 * It fetches its job from where it was loaded itself, and reports there. Times are of the worker's own clock, in
 * milliseconds.
 */

const SIDE = 28;
const PIXELS = SIDE * SIDE;
/** Calls between two messages to the worker: one image each time, then the next one. */
const RUN = 10;
/** Latencies are steady when the medians of three windows in a row lie within 5 % of each other. */
const WINDOWS = 3;
const WITHIN = 0.05;
const WINDOW_MS = 100;
const WINDOW_CALLS = 5;
const BATCH_SHARE = 4;
const BATCH_WARMUP_CALLS = 3;
const LEAST_CALLS = 10;
const CAMERA_RATE_HZ = 30;
/** Images evaluated at once: a sign of life after each block. */
const BLOCK = 250;

/** @param {string} name @param {BodyInit} [body] */
const tell = (name, body = "") => fetch(name, { method: "POST", body });

/** @param {string} name */
const fetchBytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());

/** The worker: asked one thing at a time. */
class Model {
  #worker = new Worker("/static/worker.js", { type: "module" });
  #asked = 0;

  /** @param {string} task @param {object} details @returns {Promise<any>} */
  ask(task, details) {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => ("error" in data ? reject(new Error(data.error)) : resolve(data.result));
      this.#worker.onerror = (event) => reject(new Error(event.message || "the worker's files did not load"));
      this.#worker.postMessage({ id, task, ...details });
    });
  }

  /** @param {Uint8Array} image @param {number} runs @returns {Promise<number[]>} */
  time(image, runs, warmup = 0) {
    return this.ask("time", { image, runs, warmup });
  }
}

async function measure() {
  const job = await (await fetch("job")).json();
  const [content, timing, golden] = await Promise.all(["model", "timing", "golden"].map(fetchBytes));
  const started = performance.now();
  const model = new Model();
  const loaded = await model.ask("load", { model: content.buffer, abstention: { threshold: 0, temperature: 1 } });
  const loadMs = performance.now() - started - loaded.first_ms;
  const known = await model.ask("classify", { images: golden });
  await tell("beat");
  const images = split(timing);
  const warmup = await warmUp(model, images[0], 1000 * job.warmup_s);
  const latencies = await timeAll(model, images, job.calls, 1000 * job.seconds);
  await tell("beat");
  const batches = [];
  for (const size of job.batches) {
    const block = new Uint8Array(size * PIXELS).map((_, i) => timing[i % timing.length]);
    await model.time(block, BATCH_WARMUP_CALLS);
    const [calls, most] = [Math.floor(job.calls / BATCH_SHARE), (1000 * job.seconds) / BATCH_SHARE];
    batches.push(await timeAll(model, [block], calls, most));
    await tell("beat");
  }
  const paced = await timePaced(model, images, job.paced_calls);
  await tell("timed");
  if (job.is_evaluated) await evaluate(model);
  return {
    runtime_version: loaded.version,
    browser: await describeBrowser(),
    threads: loaded.threads,
    clock_resolution_ms: measureClock(),
    load_ms: loadMs,
    first_ms: loaded.first_ms,
    warmup_ms: warmup.ms,
    steady: warmup.steady,
    latencies_ms: latencies,
    batches_ms: batches,
    paced_ms: paced,
    golden: Array.from(known),
  };
}

/** @param {Uint8Array} pixels @returns {Uint8Array[]} */
function split(pixels) {
  return Array.from({ length: pixels.length / PIXELS }, (_, i) => pixels.slice(i * PIXELS, (i + 1) * PIXELS));
}

/** @param {Model} model @param {Uint8Array} image @param {number} limitMs */
async function warmUp(model, image, limitMs) {
  const started = performance.now();
  /** @type {number[]} */
  const medians = [];
  while (performance.now() - started < limitMs) {
    /** @type {number[]} */
    const values = [];
    const began = performance.now();
    while (values.length < WINDOW_CALLS || performance.now() - began < WINDOW_MS) {
      values.push(...(await model.time(image, WINDOW_CALLS)));
    }
    medians.push(values.sort((a, b) => a - b)[values.length >> 1]);
    const latest = medians.slice(-WINDOWS);
    if (latest.length === WINDOWS && Math.max(...latest) <= (1 + WITHIN) * Math.min(...latest)) {
      return { ms: performance.now() - started, steady: true };
    }
  }
  return { ms: performance.now() - started, steady: false };
}

/** @param {Model} model @param {Uint8Array[]} inputs @param {number} calls @param {number} mostMs */
async function timeAll(model, inputs, calls, mostMs) {
  /** @type {number[]} */
  const values = [];
  const until = performance.now() + mostMs;
  for (let i = 0; values.length < calls && (values.length < LEAST_CALLS || performance.now() < until); i++) {
    values.push(...(await model.time(inputs[i % inputs.length], Math.min(RUN, calls - values.length))));
  }
  return values;
}

/** @param {Model} model @param {Uint8Array[]} images @param {number} calls */
async function timePaced(model, images, calls) {
  /** @type {number[]} */
  const values = [];
  const started = performance.now();
  for (let i = 0; i < calls; i++) {
    const due = started + (1000 * i) / CAMERA_RATE_HZ;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    values.push(...(await model.time(images[i % images.length], 1)));
  }
  return values;
}

/** Send the scores of all evaluation images, block by block. @param {Model} model */
async function evaluate(model) {
  const pixels = await fetchBytes("evaluation");
  for (let i = 0; i < pixels.length; i += BLOCK * PIXELS) {
    const scores = await model.ask("classify", { images: pixels.slice(i, i + BLOCK * PIXELS) });
    await tell("scores", Float32Array.from(scores));
  }
}

/** The smallest step that this page's clock takes, milliseconds; the worker's is the same. */
function measureClock() {
  let step = Infinity;
  for (let i = 0, before = performance.now(); i < 20000; i++) {
    const now = performance.now();
    if (now > before) step = Math.min(step, now - before);
    before = now;
  }
  return step;
}

async function describeBrowser() {
  /** @type {any} */
  const agent = navigator;
  const { fullVersionList } = await agent.userAgentData.getHighEntropyValues(["fullVersionList"]);
  const { brand, version } = fullVersionList.find(({ brand }) => brand === "Chromium") ?? fullVersionList[0];
  return `${brand} ${version}`;
}

measure().then(
  (answer) => tell("answer", JSON.stringify(answer)),
  (error) => tell("failure", String(error instanceof Error ? error.message : error)),
);
