/** The texts beside the live picture: readings, times, rates, and the camera's state. */

import { element, formatMs, showRows } from "./result.js";

/** Numbers that change faster cannot be read, milliseconds. */
const NUMBERS_MS = 250;
/** The stage that mostly waits for the next frame; its bar would make the others too short to see. */
const WAITING = "capture";
const CAMERA_STATES = /** @type {Record<string, string>} */ ({
  starting: "Waiting for the camera",
  open: "Camera open",
  lost: "Camera lost, trying again",
  silent: "No connection to the server",
  ended: "The recording has ended",
});

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/** The age of a younger reading is not shown, milliseconds: cameras and networks take that long. */
const YOUNG_MS = 2000;

let numbersShown = -Infinity;

/** @param {any} reading  An event, see `edge/live/documents.py`. */
export function showReading(reading) {
  showRows(byId("live-rows"), reading.announced, "No digits in view");
  byId("live-rows").classList.remove("old");
  const now = performance.now();
  if (now - numbersShown < NUMBERS_MS) return;
  numbersShown = now;
  showTimes(reading.timing_ms);
  byId("live-camera-fps").textContent = reading.rates.camera_fps.toFixed(1);
  byId("live-read-fps").textContent = reading.rates.read_fps.toFixed(1);
  byId("live-skipped").textContent = reading.rates.skipped.toLocaleString("en");
  byId("live-latency").textContent = formatMs(reading.latency_ms);
}

/** Where there is no message, the one of the same state stays. @param {{state: string, message?: string}} change */
export function showState({ state, message }) {
  const shown = byId("live-state");
  if (message !== undefined || shown.dataset.state !== state) byId("live-state-message").textContent = message ?? "";
  // Screen readers read a text again whenever it is set, even if it did not change.
  if (shown.dataset.state !== state) shown.textContent = CAMERA_STATES[state] ?? state;
  shown.dataset.state = state;
  byId("live-frame").classList.toggle("stale", state === "lost" || state === "silent");
  byId("live-rows").classList.toggle("old", state === "silent");
  if (state === "lost") showRows(byId("live-rows"), [], "Nothing to read");
}

/** What is shown is old from now on. @param {string} words  Why. */
export function showLost(words) {
  showState({ state: "silent", message: words });
  for (const id of ["live-camera-fps", "live-read-fps", "live-skipped", "live-latency"]) byId(id).textContent = "–";
  numbersShown = -Infinity;
}

/** There is no camera: nothing of one that was there is left. @param {string} words  Why. */
export function showNothing(words) {
  showState({ state: "", message: "" });
  showRows(byId("live-rows"), [], "Nothing to read");
  showAge(null);
  for (const id of ["live-picture", "live-boxes"]) byId(id).width = 0;
  showWords(words);
}

/** How old the reading is, where that matters. @param {number | null} age_ms  Null: there is none. */
export function showAge(age_ms) {
  const isOld = byId("live-rows").classList.contains("old");
  const words = age_ms === null || age_ms < YOUNG_MS ? "" : `${isOld ? "Old: read" : "Read"} ${formatAge(age_ms)} ago.`;
  if (byId("live-age").textContent !== words) byId("live-age").textContent = words;
}

/** @param {number} ms */
function formatAge(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
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
