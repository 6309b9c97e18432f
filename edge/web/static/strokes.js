/**
 * A drawing is its strokes; they become pixels for the eye, for the model in this page, and for the server.
 *
 * @typedef {import("./types.js").Stroke} Stroke
 * @typedef {CanvasRenderingContext2D} Context
 */

export class Drawing {
  /** @param {readonly Stroke[]} strokes @param {number} width  Of the pad, pixels. @param {number} height */
  constructor(strokes, width, height) {
    this.strokes = strokes;
    this.width = Math.max(1, Math.round(width));
    this.height = Math.max(1, Math.round(height));
  }

  /** The ink, one byte per pixel of the pad. @returns {import("./types.js").Gray} */
  rasterize() {
    const context = this.#paint(null);
    const { data } = context.getImageData(0, 0, this.width, this.height);
    const ink = new Uint8Array(this.width * this.height);
    for (let i = 0; i < ink.length; i++) ink[i] = data[4 * i + 3];
    return { data: ink, width: this.width, height: this.height };
  }

  /** A picture, black on white. @returns {Promise<Blob>} */
  encode() {
    const { canvas } = this.#paint("white");
    return new Promise((resolve, reject) => {
      const take = (/** @type {Blob | null} */ blob) =>
        blob ? resolve(blob) : reject(new Error("This browser could not encode the drawing."));
      canvas.toBlob(take, "image/png");
    });
  }

  /** @param {string | null} paper */
  #paint(paper) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.width, this.height];
    // Read back at once: kept where reading is cheap.
    const context = /** @type {Context} */ (canvas.getContext("2d", { willReadFrequently: true }));
    if (paper) {
      context.fillStyle = paper;
      context.fillRect(0, 0, this.width, this.height);
    }
    drawStrokes(context, this.strokes, "black");
    return context;
  }
}

/** @param {Context} context @param {readonly Stroke[]} strokes @param {string} colour */
export function drawStrokes(context, strokes, colour) {
  [context.strokeStyle, context.lineCap, context.lineJoin] = [colour, "round", "round"];
  for (const stroke of strokes) {
    context.lineWidth = stroke.width;
    context.beginPath();
    trace(context, stroke.points);
    context.stroke();
  }
}

/**
 * A curve through the middles between points, for what comes in is a polygon.
 *
 * @param {Context} context
 * @param {[number, number][]} points
 */
function trace(context, points) {
  const [first, ...others] = points;
  const last = points[points.length - 1];
  context.moveTo(...first);
  others.slice(0, -1).forEach(([x, y], i) => {
    const [nextX, nextY] = others[i + 1];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  // Of a tap there is nothing but this: a line without length, which round caps make a dot.
  context.lineTo(...last);
}
