/**
 * The server: every request, its token, and its errors in words.
 *
 * @typedef {import("./types.js").Reading} Reading
 * @typedef {import("./types.js").ServerModel} ServerModel
 */

import { askForToken, currentToken } from "./token.js";

/** The server refused, or failed; the message is for people. */
export class ServerError extends Error {
  /** @param {string} message @param {number} status  Of HTTP. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** There was no answer at all. */
export class UnreachableError extends Error {}

/** Where it is told whether the server is there: dispatches `answered`, `unreachable`, and `token` for a new one. */
export const connection = new EventTarget();

/** A server that is busy says when to come back: so often, if it is not longer than so many seconds. */
const [MOST_RETURNS, LONGEST_WAIT_S] = [3, 5];

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @param {number} [returns]  How often to come back when the server is busy.
 * @returns {Promise<Response>} With a status of success.
 * @throws {ServerError | UnreachableError}
 */
export async function request(path, options = {}, returns = MOST_RETURNS) {
  const token = currentToken();
  const response = await send(path, options, token);
  if (response.ok) return response;
  if (response.status === 401 && (await obtainToken(token))) return request(path, options, returns);
  const wait_s = Number(response.headers.get("Retry-After"));
  if (wait_s > 0 && wait_s <= LONGEST_WAIT_S && returns > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * wait_s));
    return request(path, options, returns - 1);
  }
  throw new ServerError(await explain(response), response.status);
}

/** Several requests may be refused at once: people are asked once. @param {string | null} refused */
function obtainToken(refused) {
  if (currentToken() !== refused) return Promise.resolve(true);
  asking ??= askForToken(refused !== null).then((given) => {
    asking = null;
    if (given) connection.dispatchEvent(new Event("token"));
    return given;
  });
  return asking;
}

/** Whether it was refused for want of a token. @param {unknown} error */
export function lacksToken(error) {
  return error instanceof ServerError && error.status === 401;
}

/** @param {string} path @param {RequestInit} options @param {string | null} token */
async function send(path, options, token) {
  try {
    const headers = new Headers(token === null ? [] : [["Authorization", `Bearer ${token}`]]);
    const response = await fetch(path, { cache: "no-store", ...options, headers });
    connection.dispatchEvent(new Event("answered"));
    return response;
  } catch (error) {
    if (options.signal?.aborted) throw error;
    connection.dispatchEvent(new Event("unreachable"));
    throw new UnreachableError("The server does not answer.");
  }
}

/** What the server said, in its own words where people can use them. @param {Response} response */
async function explain(response) {
  // The server's words are about a header, for those who write programs.
  if (response.status === 401) return "Enter the token that was printed where the server was started.";
  try {
    const { error } = await response.json();
    if (typeof error === "string") return error;
  } catch {
    // Something between this page and the server answered, and not in JSON; the status says what it can.
  }
  return `The server answered ${response.status} ${response.statusText}`.trim() + ".";
}

/** @returns {Promise<ServerModel>} */
export async function fetchModel() {
  return (await request("/v1/model")).json();
}

/** The file that runs in the page. */
export async function fetchModelFile() {
  return (await request("/model/int8.onnx")).arrayBuffer();
}

/**
 * @param {Blob} picture
 * @param {Record<string, string>} choice  model, runtime, precision.
 * @returns {Promise<Reading>}
 */
export async function readPicture(picture, choice) {
  const response = await request(`/v1/read?${new URLSearchParams(choice)}`, { method: "POST", body: picture });
  return response.json();
}
