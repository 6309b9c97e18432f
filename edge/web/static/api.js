/**
 * The server: every request, its token, and its errors in words.
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

/** There was no answer at all, or it broke off. */
export class UnreachableError extends PageError {}

/** Says whether the server is there: dispatches `answered`, `unreachable`, and `token` for a new one. */
export const connection = new EventTarget();

/** A server that is busy says when to come back: so often, if it is not longer than so many seconds. */
const [MOST_RETURNS, LONGEST_WAIT_S] = [3, 5];
/** Until an answer is there as a whole, milliseconds: of a few kilobytes, and of a file or a picture that is read. */
const [SHORT_MS, LONG_MS] = [10_000, 90_000];

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * @param {string} path  Relative to the page, which a proxy may have below a path.
 * @param {RequestInit} [options]  A request that nobody stops by a signal has a minute and a half.
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
    const signal = AbortSignal.timeout(LONG_MS);
    const response = await fetch(path, { cache: "no-store", signal, ...options, headers });
    connection.dispatchEvent(new Event("answered"));
    return response;
  } catch (error) {
    // Of a request that was stopped on purpose nobody waits for the answer.
    if (options.signal?.aborted && options.signal.reason?.name !== "TimeoutError") throw error;
    throw loseServer();
  }
}

function loseServer() {
  connection.dispatchEvent(new Event("unreachable"));
  return new UnreachableError("The server does not answer.");
}

/**
 * The body of an answer, which may break off, or be that of another server.
 *
 * @template T
 * @param {Promise<T>} body
 * @param {AbortSignal} [signal]  Stops it on purpose.
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

/** What the server said, in its own words where people can use them. @param {Response} response */
async function explain(response) {
  // The server's words are about a header, for those who write programs.
  if (response.status === 401) return "Enter the token that the server printed when it started.";
  try {
    const { error } = await response.json();
    if (typeof error === "string") return error;
  } catch {
    // Something between this page and the server answered, and not in JSON; the status says what it can.
  }
  return `The server responded ${response.status} ${response.statusText}`.trim() + ".";
}

/** @returns {Promise<ServerModel>} */
export async function fetchModel() {
  return receive((await request("v1/model", { signal: AbortSignal.timeout(SHORT_MS) })).json());
}

/** The file that runs in the page. */
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
