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
    // The pixels are read back immediately, so keep them in main memory.
    const context = /** @type {Context} */ (canvas.getContext("2d", { willReadFrequently: true }));
    if (paper) {
      context.fillStyle = paper;
      context.fillRect(0, 0, this.width, this.height);
    }
    drawStrokes(context, this.strokes, "black");
    return context;
  }
}

/** @typedef {{width: number, height: number}} Size */

/**
 * Where a pad becomes smaller, move what was on it so that all of it still is, and shrink it where it has to be.
 *
 * @param {readonly Stroke[]} strokes  Changed in place: those that are being drawn stay the same ones.
 * @param {Size} before  Of the pad, pixels. @param {Size} after
 */
export function keepOnPad(strokes, before, after) {
  if (strokes.length === 0) return;
  const across = measureExtent(strokes, 0, before.width);
  const down = measureExtent(strokes, 1, before.height);
  const scale = Math.min(1, after.width / (across.end - across.start), after.height / (down.end - down.start));
  const left = Math.min(across.start, after.width - scale * (across.end - across.start));
  const top = Math.min(down.start, after.height - scale * (down.end - down.start));
  for (const stroke of strokes) {
    stroke.width *= scale;
    for (const point of stroke.points) {
      point[0] = left + scale * (point[0] - across.start);
      point[1] = top + scale * (point[1] - down.start);
    }
  }
}

/**
 * From where to where there is ink, across or down; what lies beyond the pad nobody saw.
 *
 * @param {readonly Stroke[]} strokes @param {0 | 1} axis @param {number} side  Of the pad.
 */
function measureExtent(strokes, axis, side) {
  let [start, end] = [side, 0];
  for (const { width, points } of strokes) {
    for (const point of points) {
      start = Math.min(start, point[axis] - width / 2);
      end = Math.max(end, point[axis] + width / 2);
    }
  }
  return { start: Math.max(0, start), end: Math.min(side, end) };
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
  // A tap is a line without length, which round caps turn into a dot.
  context.lineTo(...last);
}
