/**
 * Knowing what is not a digit, and how sure to be of what is: two numbers from ten logits, as `edge/abstention.py`.
 */

/** The log odds that there is a digit, in nats. @param {ArrayLike<number>} logits  Ten. */
export function scoreDigit(logits) {
  const top = Math.max(...Array.from(logits));
  return top + Math.log(Array.from(logits).reduce((sum, logit) => sum + Math.exp(logit - top), 0));
}

/**
 * The probability of the most likely digit, given that it is one.
 *
 * @param {ArrayLike<number>} logits  Ten.
 * @param {number} temperature  Above 0; what validation calibrated it to.
 */
export function estimateConfidence(logits, temperature) {
  const scaled = Array.from(logits, (logit) => logit / temperature);
  const top = Math.max(...scaled);
  return 1 / scaled.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
}

/** The most likely digit, 0 to 9; the first of equals. @param {ArrayLike<number>} logits  Ten. */
export function chooseDigit(logits) {
  return Array.from(logits).reduce((best, logit, digit, all) => (logit > all[best] ? digit : best), 0);
}
