/** The page: its four tabs, the choice of reader, and the messages at the top. */

import { UnreachableError, connection, fetchModel, fetchReport, lacksToken } from "./api.js";
import { CameraView } from "./camera.js";
import { fillSelect, listChoices, openReader } from "./choices.js";
import { watchConnection } from "./connection.js";
import { setUpDrawing } from "./draw.js";
import { LiveView } from "./live.js";
import { setUpPhotos } from "./photo.js";
import { setUpTabs } from "./tabs.js";
import { currentToken, takeTokenFromAddress } from "./token.js";
import { inWords } from "./words.js";

/**
 * @typedef {import("./choices.js").Choice} Choice
 * @typedef {import("./types.js").ServerModel} ServerModel
 */

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/** @type {Choice[]} */
let choices = [];
/** @type {ServerModel | null} */
let model = null;
/** @type {import("./choices.js").PageReader | null} */
let reader = null;
/** Number of times a reader was chosen: if several load at the same time, the last one is kept. */
let turns = 0;
/** Whether the page asked for the token of a server that has not answered yet, and got none. */
let lacking = false;

takeTokenFromAddress();
window.addEventListener("hashchange", takeTokenFromAddress);
const drawing = setUpDrawing();
const photos = setUpPhotos(serverChoice);
const camera = new CameraView();
const live = new LiveView();
const tabs = setUpTabs(byId("tabs"), (name) => {
  camera.choose(name === "camera");
  live.choose(name === "live");
});
byId("reader").addEventListener("change", chooseReader);
byId("report").addEventListener("click", openReport);
byId("again").addEventListener("click", start);
byId("dismiss").addEventListener("click", () => say(""));
watchConnection(sayLost, start);
// A token that another part of the page asked for.
connection.addEventListener("token", () => lacking && start());
start();

/** Ask the server for its models and choices, and again each time it is back. */
async function start() {
  lacking = false;
  try {
    model = await fetchModel();
  } catch (error) {
    // sayLost() has already reported a server that does not answer.
    if (error instanceof UnreachableError) return;
    lacking = lacksToken(error);
    if (!choices.length) byId("reader").replaceChildren(new Option(lacking ? "No token yet" : "No answer yet"));
    return sayAgain(/** @type {Error} */ (error));
  }
  say("");
  const offered = listChoices(model);
  const same = JSON.stringify(offered) === JSON.stringify(choices);
  if (!same) offer(offered);
  if (!same || !reader) await chooseReader();
  else drawing.readAgain();
  photos.readAgain();
  if (model.camera !== null) tabs.suggest("live");
  live.restart(model.camera !== null);
}

/** Keep the previous choice if it is still offered. @param {Choice[]} offered */
function offer(offered) {
  const before = JSON.stringify(choices[Number(byId("reader").value)]);
  choices = offered;
  fillSelect(byId("reader"), choices);
  const kept = choices.findIndex((choice) => JSON.stringify(choice) === before);
  byId("reader").value = String(Math.max(0, kept));
}

/**
 * The server's reader for photos: the choice, or its default if drawings are read in this page.
 *
 * @returns {Record<string, string>}
 */
function serverChoice() {
  return choices[Number(byId("reader").value)]?.server ?? {};
}

async function chooseReader() {
  const choice = choices[Number(byId("reader").value)];
  if (!choice || !model) return;
  const turn = ++turns;
  byId("reader-note").textContent = choice.server ? "" : "Loading the model into this page…";
  try {
    const opened = await openReader(choice, model);
    if (turn !== turns) return opened.close?.();
    const before = reader;
    reader = opened;
    drawing.useReader(reader);
    camera.useReader(reader);
    before?.close?.();
    photos.readAgain();
    byId("reader-note").textContent = describe(choice, model);
  } catch (error) {
    if (turn === turns) await fallBack(/** @type {Error} */ (error));
  }
}

/** @param {Choice} choice @param {ServerModel} known */
function describe(choice, known) {
  if (!choice.server) return "Drawings do not leave this page; photos are read by the server.";
  return known.browser_runtime === null ? "The server has no onnxruntime-web, so it reads drawings itself." : "";
}

/** The model does not run in this page, so the server reads. @param {Error} error */
async function fallBack(error) {
  const onServer = choices.findIndex((choice) => choice.server);
  if (onServer < 0) return sayAgain(error);
  byId("reader").value = String(onServer);
  await chooseReader();
  byId("reader-note").textContent = `${inWords(error)} The server reads instead.`;
}

function sayLost() {
  const goesOn = reader && !reader.needsServer ? " Drawings are still read in this page." : "";
  say(`The server does not answer. Trying again…${goesOn}`, { waiting: true });
}

/** Show an error with a button to try again. @param {Error} error */
function sayAgain(error) {
  say(inWords(error), { again: lacksToken(error) ? "Enter the token" : "Try again" });
}

/**
 * Show a message across the top of the page; the empty string removes it.
 *
 * @param {string} words
 * @param {{again?: string, waiting?: boolean}} [options]  Label of a retry button; whether the page retries itself.
 */
function say(words, { again = "", waiting = false } = {}) {
  byId("notice-words").textContent = words;
  byId("notice").hidden = words === "";
  byId("notice").classList.toggle("waiting", waiting);
  byId("again").textContent = again;
  byId("again").hidden = again === "";
  byId("dismiss").hidden = again !== "" || waiting;
}

/**
 * A link cannot carry a token: where one is required, download the report as a file.
 *
 * @param {Event} event
 */
async function openReport(event) {
  event.preventDefault();
  try {
    const report = await fetchReport();
    if (currentToken() === null) window.open(byId("report").href, "_blank", "noopener");
    else download(report, "edge-mnist-report.html");
  } catch (error) {
    if (lacksToken(error)) sayAgain(/** @type {Error} */ (error));
    else say(inWords(error));
  }
}

/** @param {Blob} content @param {string} name */
function download(content, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(content), name];
  link.click();
  // The browser has read it long before.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
