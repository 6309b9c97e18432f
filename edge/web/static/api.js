/**
 * Requests to the server, their token, and error messages for people.
 *
 * @typedef {import("./types.js").Reading} Reading
 * @typedef {import("./types.js").ServerModel} ServerModel
 */

import { askForToken, currentToken } from "./token.js";
import { PageError } from "./words.js";

/** The server refused, or failed. */
export class ServerError extends PageError {
  /** @param {string} message @param {number} status  Of HTTP. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The server did not answer, or its answer was incomplete. */
export class UnreachableError extends PageError {}

/** Announces whether the server answers: dispatches `answered`, `unreachable`, and `token` for a new token. */
export const connection = new EventTarget();

/** A busy server names a pause: how often a request is repeated, and the longest pause accepted, seconds. */
const [MOST_RETURNS, LONGEST_WAIT_S] = [3, 5];
/** Time limits for a whole answer, milliseconds: of a few kilobytes, and of a file or a reading. */
const [SHORT_MS, LONG_MS] = [10_000, 90_000];

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * @param {string} path  Relative to the page, which a proxy may have below a path.
 * @param {RequestInit} [options]  Without a signal, the time limit is a minute and a half.
 * @param {number} [returns]  How often to repeat the request when the server is busy.
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

/** The page asks once, even if several requests are refused. @param {string | null} refused */
function obtainToken(refused) {
  if (currentToken() !== refused) return Promise.resolve(true);
  asking ??= askForToken(refused !== null).then((given) => {
    asking = null;
    if (given) connection.dispatchEvent(new Event("token"));
    return given;
  });
  return asking;
}

/** Whether a request was refused because it had no valid token. @param {unknown} error */
export function lacksToken(error) {
  return error instanceof ServerError && error.status === 401;
}

/** @param {string} path @param {RequestInit} options @param {string | null} token */
async function send(path, options, token) {
  try {
    const headers = new Headers(token === null ? [] : [["Authorization", `Bearer ${token}`]]);
    const signal = AbortSignal.timeout(LONG_MS);
    const response = await fetch(path, { cache: "no-store", signal, ...options, headers });
    connection.dispatchEvent(new Event("answered"));
    return response;
  } catch (error) {
    // No caller waits for the answer to a cancelled request.
    if (options.signal?.aborted && options.signal.reason?.name !== "TimeoutError") throw error;
    throw loseServer();
  }
}

function loseServer() {
  connection.dispatchEvent(new Event("unreachable"));
  return new UnreachableError("The server does not answer.");
}

/**
 * Read the body of an answer, which may be incomplete or come from another server.
 *
 * @template T
 * @param {Promise<T>} body
 * @param {AbortSignal} [signal]  Cancels it.
 * @returns {Promise<T>}
 */
export async function receive(body, signal) {
  try {
    return await body;
  } catch (error) {
    if (signal?.aborted) throw error;
    console.warn(error);
    if (!(error instanceof SyntaxError)) throw loseServer();
    throw new ServerError("The server at this address is not edge-mnist.", 502);
  }
}

/** The server's own message where it helps people, else one of this page. @param {Response} response */
async function explain(response) {
  // The server's message names a header and is meant for programmers.
  if (response.status === 401) return "Enter the token that the server printed when it started.";
  try {
    const { error } = await response.json();
    if (typeof error === "string") return error;
  } catch {
    // Not JSON, so a proxy answered; only the status is known.
  }
  return `The server responded ${response.status} ${response.statusText}`.trim() + ".";
}

/** @returns {Promise<ServerModel>} */
export async function fetchModel() {
  return receive((await request("v1/model", { signal: AbortSignal.timeout(SHORT_MS) })).json());
}

/** Download the model file that runs in the page. */
export async function fetchModelFile() {
  return receive((await request("model/int8.onnx")).arrayBuffer());
}

export async function fetchReport() {
  return receive((await request("v1/report")).blob());
}

/**
 * @param {Blob} picture
 * @param {Record<string, string>} choice  model, runtime, precision.
 * @returns {Promise<Reading>}
 */
export async function readPicture(picture, choice) {
  const response = await request(`v1/read?${new URLSearchParams(choice)}`, { method: "POST", body: picture });
  return receive(response.json());
}
