/**
 * Reading order, as `edge/reading/rows.py`: shapes that stand on one line share a row; rows go down, shapes go right.
 * Where all rows climb or fall alike, and steeply, they are levelled first.
 *
 * @typedef {import("./types.js").Box} Box
 */

/** Largest vertical distance between centres of neighbours in a row, as a share of the taller one's height. */
const FARTHEST = 0.6;
/**
 * Frames of FEWEST to MOST shapes are levelled, if the slopes from each shape to the next one in its row, which is at
 * most BESIDE heights away, have a median above LEVEL and mostly differ from it by less than ALIKE.
 */
const [FEWEST, MOST, BESIDE, LEVEL, ALIKE] = [4, 300, 2.5, 0.15, 0.2];
/** The steepest slope, and the heights of neighbours in a row, as multiples of one another. */
const [STEEPEST, SMALLEST, LARGEST] = [1.25, 0.6, 1.6];

/**
 * @template {{box: Box}} Item
 * @param {Item[]} items
 * @returns {Item[][]}
 */
export function groupIntoRows(items) {
  const boxes = items.map(({ box }) => box);
  let rows = group(boxes, 0);
  if (items.length >= FEWEST && items.length <= MOST && mayClimb(rows, boxes)) {
    const climb = measureClimb(boxes);
    if (climb !== 0) rows = group(boxes, climb);
  }
  return rows.map((row) => row.map((i) => items[i]));
}

/**
 * Group boxes into rows; `climb` is in pixels down for each pixel to the right. Return indices of the boxes.
 *
 * @param {Box[]} boxes @param {number} climb
 */
function group(boxes, climb) {
  const middles = boxes.map((box) => middle(box) - climb * centre(box));
  /** @type {number[][]} */
  const rows = [];
  for (const i of boxes.map((_, i) => i).sort((a, b) => boxes[a].x - boxes[b].x)) {
    const distances = rows.map((row) => {
      const last = row[row.length - 1];
      return Math.abs(middles[i] - middles[last]) / Math.max(boxes[i].height, boxes[last].height);
    });
    const nearest = distances.indexOf(Math.min(...distances));
    if (nearest >= 0 && distances[nearest] < FARTHEST) rows[nearest].push(i);
    else rows.push([i]);
  }
  const mean = (/** @type {number[]} */ row) => row.reduce((sum, i) => sum + middles[i], 0) / row.length;
  return rows.sort((a, b) => mean(a) - mean(b));
}

/**
 * Whether rows are so short that they may have been torn apart, or not level.
 *
 * @param {number[][]} rows @param {Box[]} boxes
 */
function mayClimb(rows, boxes) {
  const slopes = rows.flatMap((row) =>
    row.slice(1).map((j, k) => {
      const [one, other] = [boxes[row[k]], boxes[j]];
      return (middle(other) - middle(one)) / Math.max(1, other.x - one.x);
    }),
  );
  return slopes.length < boxes.length / 2 || Math.abs(median(slopes)) > LEVEL / 2;
}

/**
 * Measure how rows climb: pixels down for each pixel to the right; 0 if they are nearly level or climb differently.
 *
 * @param {Box[]} boxes
 */
function measureClimb(boxes) {
  const slopes = boxes.flatMap((box) => {
    /** @type {[number, number]} */
    let [nearest, slope] = [Infinity, 0];
    for (const other of boxes) {
      const [right, down] = [centre(other) - centre(box), middle(other) - middle(box)];
      const [apart, likeness] = [Math.hypot(right, down) / box.height, other.height / box.height];
      const steep = Math.abs(down) >= STEEPEST * right;
      if (steep || apart > BESIDE || likeness < SMALLEST || likeness > LARGEST || apart >= nearest) continue;
      [nearest, slope] = [apart, down / right];
    }
    return nearest < Infinity ? [slope] : [];
  });
  if (slopes.length < FEWEST - 1) return 0;
  const climb = median(slopes);
  const alike = median(slopes.map((slope) => Math.abs(slope - climb))) < ALIKE;
  return alike && Math.abs(climb) > LEVEL ? climb : 0;
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/** @param {Box} box */
function middle(box) {
  return box.y + box.height / 2;
}

/** @param {Box} box */
function centre(box) {
  return box.x + box.width / 2;
}
