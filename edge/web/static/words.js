/** Error messages for people, always in this page's own words. */

/** An error whose message is for people. */
export class PageError extends Error {}

/**
 * The message that the page shows for an error. Other errors are defects of this page or missing features
 * of the browser; their own message goes to the console.
 *
 * @param {unknown} error
 */
export function inWords(error) {
  if (error instanceof PageError) return error.message;
  console.warn(error);
  return "This page failed. Reload it; if it fails again, try another browser.";
}
