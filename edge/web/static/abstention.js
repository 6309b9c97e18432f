/**
 * Two probabilities from ten logits: that a shape is a digit, and of its class; as in `edge/runtimes/abstention.py`.
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
export function estimateClassProbability(logits, temperature) {
  const scaled = Array.from(logits, (logit) => logit / temperature);
  const top = Math.max(...scaled);
  return 1 / scaled.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
}

/**
 * How likely what was read is a digit at all; null where the model's card does not say.
 *
 * @param {number} score
 * @param {number} company  Of `weighCompany`.
 * @param {import("./types.js").DigitOdds | null | undefined} odds
 */
export function estimateDigitProbability(score, company, odds) {
  if (!odds) return null;
  return Math.min(odds.highest, 1 / (1 + Math.exp(-(odds.intercept + odds.score * score + odds.company * company))));
}

/**
 * How much what a frame shows looks like digits: a 1 says little, for any straight stroke looks like it.
 *
 * @param {number[]} digits  All that were read.
 * @param {number} shapes  How many were found that might have been digits.
 */
export function weighCompany(digits, shapes) {
  const telling = digits.filter((digit) => digit !== 1).length;
  return Math.log((telling + 1) / (Math.max(0, shapes - telling) + 1));
}

/** The most likely digit, 0 to 9; the first of equals. @param {ArrayLike<number>} logits  Ten. */
export function chooseDigit(logits) {
  return Array.from(logits).reduce((best, logit, digit, all) => (logit > all[best] ? digit : best), 0);
}
