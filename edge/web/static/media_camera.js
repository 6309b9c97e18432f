/** The visitor's own cameras: open one, list them, and explain in a sentence why there is none. */

import { PageError } from "./words.js";

/** Of the picture, pixels: more is not read. */
const SIZE = { width: { ideal: 1280 }, height: { ideal: 720 } };
/** What each error of `getUserMedia` means, by its name. */
const FAILURES = /** @type {Record<string, string>} */ ({
  NotAllowedError:
    "The browser does not let this page use the camera. Allow it in the settings of this site, and start again.",
  NotFoundError: "This device has no camera. Connect one, and start again.",
  NotReadableError: "The camera does not start. Close other programs that use it, and start again.",
  OverconstrainedError: "This camera is no longer there. Choose another one, and start again.",
});

/** Why this page can use no camera at all; the empty string if it can. */
export function explainNoCamera() {
  if (navigator.mediaDevices?.getUserMedia) return "";
  if (window.isSecureContext) return "This browser lends its camera to no page. Try another browser.";
  const port = location.port || "80";
  return (
    "Browsers lend a camera only to pages at https:// or at localhost. " +
    `Run ssh -L ${port}:127.0.0.1:${port} ${location.hostname} and open http://127.0.0.1:${port}, ` +
    "or put the server behind a proxy with TLS."
  );
}

/**
 * Open a camera; the browser may ask for permission first.
 *
 * @param {string} id  Of the device; the empty string for the browser's choice, at the back of a phone.
 * @returns {Promise<MediaStream>}
 * @throws {PageError}
 */
export async function openCamera(id) {
  const which = id ? { deviceId: { exact: id } } : { facingMode: { ideal: "environment" } };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...SIZE, ...which } });
  } catch (error) {
    console.warn(error);
    const { name } = /** @type {DOMException} */ (error);
    throw new PageError(FAILURES[name] ?? `The camera does not start (${name}). Try another one, or another browser.`);
  }
}

/** Switch the camera off. @param {MediaStream} stream */
export function closeCamera(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/**
 * Offer the cameras of this device. Browsers name them only after one was opened.
 *
 * @param {HTMLSelectElement} select
 * @param {MediaStream} opened
 */
export async function listCameras(select, opened) {
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  select.replaceChildren(
    ...cameras.map(({ label, deviceId }, i) => new Option(label || `Camera ${i + 1}`, deviceId)),
  );
  select.value = opened.getVideoTracks()[0].getSettings().deviceId ?? "";
}
