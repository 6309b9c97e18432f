/** The page: its three parts, what reads, and what it says when something is wrong. */

import { UnreachableError, connection, fetchModel, fetchReport, lacksToken } from "./api.js";
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
/** @type {import("./choices.js").DrawingReader | null} */
let reader = null;
/** How often what reads was chosen: of those that load at the same time, the last one stays. */
let turns = 0;
/** Whether people were asked for the token of a server that is not known yet, and gave none. */
let lacking = false;

takeTokenFromAddress();
window.addEventListener("hashchange", takeTokenFromAddress);
const drawing = setUpDrawing();
const photos = setUpPhotos(serverChoice);
const live = new LiveView();
const tabs = setUpTabs(byId("tabs"), (name) => live.choose(name === "live"));
byId("reader").addEventListener("change", chooseReader);
byId("report").addEventListener("click", openReport);
byId("again").addEventListener("click", start);
byId("dismiss").addEventListener("click", () => say(""));
watchConnection(sayLost, start);
// One that another part of the page asked for.
connection.addEventListener("token", () => lacking && start());
start();

/** Ask the server what it can do; again whenever it came back. */
async function start() {
  lacking = false;
  try {
    model = await fetchModel();
  } catch (error) {
    // Of a server that does not answer, sayLost() has told.
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

/** The same choice as before stays, if there still is one. @param {Choice[]} offered */
function offer(offered) {
  const before = JSON.stringify(choices[Number(byId("reader").value)]);
  choices = offered;
  fillSelect(byId("reader"), choices);
  const kept = choices.findIndex((choice) => JSON.stringify(choice) === before);
  byId("reader").value = String(Math.max(0, kept));
}

/**
 * What the server reads photos with: the choice, or its own where drawings are read in this page.
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

/** The model does not run in this page: the server reads. @param {Error} error */
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

/** What people may try again. @param {Error} error */
function sayAgain(error) {
  say(inWords(error), { again: lacksToken(error) ? "Enter the token" : "Try again" });
}

/**
 * Across the top of the page; the empty string takes it away.
 *
 * @param {string} words
 * @param {{again?: string, waiting?: boolean}} [options]  What a button to try again says; whether the page itself does.
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
 * Where a token is asked for, a link cannot carry it: there the report is handed over as a file.
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
  // The browser is done with it long before.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
