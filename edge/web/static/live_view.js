/** What the live part says beside its picture: readings, times, rates, and how the camera is. */

import { element, formatMs, showRows } from "./result.js";

/** Numbers that change faster cannot be read, milliseconds. */
const NUMBERS_MS = 250;
/** The stage that mostly waits for the next frame: beside it the work of the others would not be seen. */
const WAITING = "capture";
const CAMERA_STATES = /** @type {Record<string, string>} */ ({
  open: "Camera open",
  lost: "Camera lost, trying again",
  ended: "The recording has ended",
});

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

let numbersShown = -Infinity;

/** @param {any} reading  An event, see `edge/sinks/format.py`. */
export function showReading(reading) {
  showRows(byId("live-rows"), reading.announced, "No digits in view");
  const now = performance.now();
  if (now - numbersShown < NUMBERS_MS) return;
  numbersShown = now;
  showTimes(reading.timing_ms);
  byId("live-camera-fps").textContent = reading.rates.camera_fps.toFixed(1);
  byId("live-read-fps").textContent = reading.rates.read_fps.toFixed(1);
  byId("live-skipped").textContent = reading.rates.skipped.toLocaleString("en");
  byId("live-latency").textContent = formatMs(reading.latency_ms);
}

/** @param {{state: string, message: string}} change */
export function showState({ state, message }) {
  byId("live-state").textContent = CAMERA_STATES[state] ?? state;
  byId("live-state").dataset.state = state;
  byId("live-state-message").textContent = message;
  byId("live-frame").classList.toggle("stale", state === "lost");
  if (state === "lost") showRows(byId("live-rows"), [], "Nothing to read");
}

/** Over the picture, instead of it; the empty string takes them away. @param {string} words */
export function showWords(words) {
  if (byId("live-words").textContent !== words) byId("live-words").textContent = words;
  byId("live-words").hidden = words === "";
}

/** A bar for each stage that works, the longest as long as there is room. @param {Record<string, number>} timing_ms */
function showTimes(timing_ms) {
  const list = byId("live-times");
  const stages = Object.entries(timing_ms);
  if (list.children.length !== stages.length) list.replaceChildren(...stages.map(([stage]) => makeBar(stage)));
  const longest = Math.max(1, ...stages.map(([stage, ms]) => (stage === WAITING ? 0 : ms)));
  stages.forEach(([stage, ms], i) => {
    const [, bar, value] = list.children[i].children;
    if (stage !== WAITING) bar.firstElementChild.style.transform = `scaleX(${ms / longest})`;
    value.textContent = formatMs(ms);
  });
}

/** @param {string} stage */
function makeBar(stage) {
  const item = element("li", "time");
  const bar = element("span", stage === WAITING ? "" : "bar");
  bar.append(element("span", "fill"));
  item.append(element("span", "stage", stage), bar, element("span", "value"));
  return item;
}
