/**
 * Reading order, as `edge/reading/shapes.py`: shapes that stand on one line share a row; rows go down, shapes go right.
 *
 * @typedef {import("./types.js").Box} Box
 */

/** Largest vertical distance between centres of neighbours in a row, as a share of the taller one's height. */
const MOST_APART = 0.6;

/**
 * @template {{box: Box}} Item
 * @param {Item[]} items
 * @returns {Item[][]}
 */
export function groupIntoRows(items) {
  /** @type {Item[][]} */
  const rows = [];
  for (const item of [...items].sort((a, b) => a.box.x - b.box.x)) {
    const distances = rows.map((row) => apart(row[row.length - 1].box, item.box));
    const nearest = distances.indexOf(Math.min(...distances));
    if (nearest >= 0 && distances[nearest] < MOST_APART) rows[nearest].push(item);
    else rows.push([item]);
  }
  return rows.sort((a, b) => meanMiddle(a) - meanMiddle(b));
}

/** @param {Box} one @param {Box} other */
function apart(one, other) {
  return Math.abs(middle(one) - middle(other)) / Math.max(one.height, other.height);
}

/** @param {Box} box */
function middle(box) {
  return box.y + box.height / 2;
}

/** @param {{box: Box}[]} row */
function meanMiddle(row) {
  return row.reduce((sum, item) => sum + middle(item.box), 0) / row.length;
}
