/** Errors in words for people: this page's own, never the browser's. */

/** An error whose message is for people. */
export class PageError extends Error {}

/**
 * What people are shown of an error. What only the browser has words for is a mistake of this page, or a browser that
 * cannot do something; its words go to the console.
 *
 * @param {unknown} error
 */
export function inWords(error) {
  if (error instanceof PageError) return error.message;
  console.warn(error);
  return "This page failed. Reload it; if it fails again, try another browser.";
}
