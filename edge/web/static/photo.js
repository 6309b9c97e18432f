/** The second tab: a photo that is dropped, chosen, pasted or taken, and read by the server. */

import { UnreachableError, readPicture } from "./api.js";
import { drawBoxes, prepareCanvas, shapeFrame } from "./boxes.js";
import { newestOnly } from "./newest.js";
import { formatMs, showDigits, showRows } from "./result.js";
import { PageError, inWords } from "./words.js";

/** Digits on larger pictures are as legible at this size; larger files only take longer to send. */
const LONGEST_SIDE = 2048;
const MOST_BYTES = 4 * 1024 * 1024;
/** Browsers open more formats than the server; others are sent as JPEG. */
const SENT_AS_THEY_ARE = ["image/jpeg", "image/png", "image/webp"];
const JPEG_QUALITY = 0.92;
/** The server may read these, and few browsers show them. */
const HEIC = /\.(heic|heif|hif)$/i;
/** Transparency is detected in a small copy. */
const LOOK_SIDE = 256;

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/**
 * @typedef {object} Photo
 * @property {ImageBitmap | null} bitmap  null for one that this browser cannot show.
 * @property {Blob} blob  What the server gets.
 * @property {boolean} transparent
 */

/** @param {() => Record<string, string>} currentChoice  The reader to use on the server. */
export function setUpPhotos(currentChoice) {
  /** @type {Photo | null} */
  let photo = null;
  /** @type {import("./types.js").Reading | null} */
  let reading = null;

  const paint = () => photo && paintPhoto(photo, reading);
  const readAgain = newestOnly(async () => {
    if (!photo) return;
    const read = photo;
    const started = performance.now();
    reading = null;
    paint();
    byId("photo-note").textContent = "Reading…";
    try {
      const said = await readPicture(read.blob, currentChoice());
      // Meanwhile another photo may be shown, or none.
      if (photo !== read) return;
      reading = said;
      show(reading, performance.now() - started, read.bitmap !== null);
      paint();
    } catch (error) {
      if (photo === read) showFailure(/** @type {Error} */ (error));
    }
  }, 0);

  const open = newestOnly(async (/** @type {File} */ file) => {
    try {
      const prepared = await preparePhoto(file);
      // Frees dozens of megabytes, which garbage collection would do late.
      photo?.bitmap?.close();
      photo = prepared;
      readAgain(null);
    } catch (error) {
      photo?.bitmap?.close();
      photo = null;
      clearFrame();
      showFailure(/** @type {Error} */ (error));
    }
  }, 0);

  connectSources(open);
  new ResizeObserver(paint).observe(byId("photo-frame"));
  return { readAgain: () => readAgain(null) };
}

/** @param {(file: File) => void} open */
function connectSources(open) {
  for (const id of ["photo-file", "photo-camera"]) {
    byId(id).addEventListener("change", () => {
      const [file] = byId(id).files;
      if (file) open(file);
      // So that the same file can be chosen again.
      byId(id).value = "";
    });
    byId(`${id}-button`).addEventListener("click", () => byId(id).click());
  }
  byId("photo-frame").addEventListener("click", () => byId("photo-file").click());
  const zone = byId("photo");
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("dropping");
    });
  }
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? zone.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("dropping");
    openFirst(event.dataTransfer, open);
  });
  document.addEventListener("paste", (event) => openFirst(event.clipboardData, open));
}

/**
 * Show a photo that was dropped or pasted anywhere on the page.
 *
 * @param {DataTransfer | null} data
 * @param {(file: File) => void} open
 */
function openFirst(data, open) {
  const [file] = data?.files ?? [];
  if (!file) return;
  byId("tab-photo").click();
  open(file);
}

/** @param {File} file @returns {Promise<Photo>} */
async function preparePhoto(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    // Browsers that cannot open it may not name its type, either.
    const blob = new Blob([file], { type: "image/heic" });
    if (HEIC.test(file.name)) return { bitmap: null, blob, transparent: false };
    throw new PageError("This file is not a picture that this browser can open. Choose a JPEG, PNG or WebP.");
  }
  const transparent = isTransparent(bitmap);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const fits = scale === 1 && file.size <= MOST_BYTES && SENT_AS_THEY_ARE.includes(file.type);
  if (fits) return { bitmap, blob: file, transparent };
  const { canvas } = drawScaled(bitmap, scale);
  // JPEG has no transparency, and the server decides on the background: strokes may be white.
  const type = transparent ? "image/png" : "image/jpeg";
  /** @type {Blob | null} */
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, JPEG_QUALITY));
  if (blob) return { bitmap, blob, transparent };
  bitmap.close();
  throw new PageError("This browser could not make the picture smaller.");
}

/** @param {ImageBitmap} bitmap @param {number} scale */
function drawScaled(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return { canvas, context };
}

/** @param {ImageBitmap} bitmap */
function isTransparent(bitmap) {
  const scale = Math.min(1, LOOK_SIDE / Math.max(bitmap.width, bitmap.height));
  const { canvas, context } = drawScaled(bitmap, scale);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 === 3 && value < 250);
}

/** @param {Photo} photo @param {import("./types.js").Reading | null} reading */
function paintPhoto({ bitmap, transparent }, reading) {
  const size = bitmap ?? reading?.frame;
  if (!size) return clearFrame();
  byId("photo").classList.add("filled");
  byId("photo-picture").classList.toggle("transparent", transparent);
  shapeFrame(byId("photo-frame"), size);
  const canvas = byId("photo-picture");
  const context = prepareCanvas(canvas);
  context.imageSmoothingQuality = "high";
  if (bitmap) context.drawImage(bitmap, 0, 0, canvas.clientWidth, canvas.clientHeight);
  drawBoxes(byId("photo-boxes"), reading?.digits ?? [], reading?.frame ?? size);
}

/** Reset the tab: an older photo would look like the one that could not be read. */
function clearFrame() {
  byId("photo").classList.remove("filled");
  byId("photo-frame").removeAttribute("style");
  for (const id of ["photo-picture", "photo-boxes"]) prepareCanvas(byId(id));
}

/** @param {import("./types.js").Reading} reading @param {number} took_ms @param {boolean} isShown */
function show(reading, took_ms, isShown) {
  showRows(byId("photo-rows"), reading.rows, "No digits found");
  showDigits(byId("photo-digits"), reading);
  const { width, height } = reading.frame;
  const read = `${width} by ${height} pixels, read by the server in ${formatMs(took_ms)}.`;
  byId("photo-note").textContent = isShown ? read : `${read} This browser cannot show HEIC pictures.`;
  byId("photo-note").classList.remove("failure");
}

/** @param {Error} error */
function showFailure(error) {
  const waiting = error instanceof UnreachableError;
  showRows(byId("photo-rows"), [], "Not read");
  byId("photo-digits").replaceChildren();
  byId("photo-note").textContent = waiting ? "Not read yet: the server does not answer." : inWords(error);
  byId("photo-note").classList.add("failure");
}
