/**
 * Boxes and tags over a picture, as `edge/sinks/annotate.py` draws them: uncertain digits have another
 * colour and a question mark.
 *
 * @typedef {{digit: number, confidence: number, box: [number, number, number, number]}} Marked
 */

export const UNSURE_BELOW = 0.9;
const SURE_COLOUR = "rgb(0 96 160)";
const UNSURE_COLOUR = "rgb(190 70 0)";
/** Text size: a share of the box's height within limits in screen pixels; larger tags would cover the row above. */
const [TAG_SHARE, SMALLEST_TAG, LARGEST_TAG] = [0.25, 12, 30];

/**
 * Make a canvas as large as it is shown, in the screen's own pixels, and empty.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D} That measures in CSS pixels.
 */
export function prepareCanvas(canvas) {
  const { clientWidth, clientHeight } = canvas;
  const density = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(clientWidth * density), Math.round(clientHeight * density)];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(density, 0, 0, density, 0, 0);
  return context;
}

/**
 * Give a frame its picture's shape, and no more height than the window has.
 *
 * @param {HTMLElement} frame
 * @param {{width: number, height: number}} picture
 */
export function shapeFrame(frame, { width, height }) {
  frame.style.aspectRatio = `${width} / ${height}`;
  frame.style.maxWidth = `calc(80vh * ${width / height})`;
}

/**
 * @param {HTMLCanvasElement} canvas  Cleared and drawn again.
 * @param {Marked[]} digits
 * @param {{width: number, height: number}} frame  The coordinates of the boxes; it fills the canvas.
 */
export function drawBoxes(canvas, digits, frame) {
  const context = prepareCanvas(canvas);
  const across = canvas.clientWidth / frame.width;
  const down = canvas.clientHeight / frame.height;
  const marks = digits.map((digit) => {
    const [x, y, width, height] = digit.box;
    return { digit, x: x * across - 5, y: y * down - 5, width: width * across + 10, height: height * down + 10 };
  });
  for (const mark of marks) drawBox(context, mark);
  // After all boxes, so that no tag is covered by a neighbour's box.
  for (const mark of marks) drawTag(context, mark, canvas);
}

/** @typedef {{digit: Marked, x: number, y: number, width: number, height: number}} Mark */

/** @param {CanvasRenderingContext2D} context @param {Mark} mark */
function drawBox(context, mark) {
  for (const [colour, width] of /** @type {[string, number][]} */ ([["white", 5], [colourOf(mark), 2.5]])) {
    [context.strokeStyle, context.lineWidth] = [colour, width];
    context.beginPath();
    context.roundRect(mark.x, mark.y, mark.width, mark.height, 6);
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Mark} mark
 * @param {HTMLCanvasElement} canvas
 */
function drawTag(context, mark, canvas) {
  const side = Math.min(Math.max(TAG_SHARE * mark.height, SMALLEST_TAG), LARGEST_TAG);
  const text = isUnsure(mark.digit) ? `${mark.digit.digit}?` : String(mark.digit.digit);
  context.font = `600 ${Math.round(0.8 * side)}px system-ui, sans-serif`;
  const width = Math.max(side, context.measureText(text).width + 0.5 * side);
  const [left, top] = placeTag(mark, { width, height: side }, { width: canvas.clientWidth, height: canvas.clientHeight });
  context.fillStyle = colourOf(mark);
  context.beginPath();
  context.roundRect(left, top, width, side, 5);
  context.fill();
  [context.fillStyle, context.textAlign, context.textBaseline] = ["white", "center", "middle"];
  context.fillText(text, left + width / 2, top + 0.54 * side);
}

/** @typedef {{width: number, height: number}} Size */

/**
 * Place a tag above the box; if there is no room, below or beside it; else inside it, where it covers ink.
 *
 * @param {Mark} mark
 * @param {Size} tag
 * @param {Size} canvas
 * @returns {[number, number]} Left and top.
 */
function placeTag({ x, y, width, height }, tag, canvas) {
  const left = Math.min(Math.max(0, x - 1), canvas.width - tag.width);
  const top = Math.min(Math.max(0, y), canvas.height - tag.height);
  /** @type {[number, number][]} */
  const places = [
    [left, y - tag.height + 2],
    [left, y + height - 2],
    [x + width - 2, top],
    [x - tag.width + 2, top],
  ];
  const fits = (/** @type {[number, number]} */ [x0, y0]) =>
    x0 >= 0 && y0 >= 0 && x0 + tag.width <= canvas.width && y0 + tag.height <= canvas.height;
  return places.find(fits) ?? [left, top];
}

/** @param {Mark} mark */
function colourOf(mark) {
  return isUnsure(mark.digit) ? UNSURE_COLOUR : SURE_COLOUR;
}

/** @param {Marked} digit */
export function isUnsure(digit) {
  return digit.confidence < UNSURE_BELOW;
}
