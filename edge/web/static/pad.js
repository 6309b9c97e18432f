/**
 * The pad: draws with finger, pen, mouse or keys, and takes back.
 *
 * @typedef {import("./types.js").Stroke} Stroke
 */

import { prepareCanvas } from "./boxes.js";
import { Drawing, drawStrokes, keepOnPad } from "./strokes.js";

/** Pixels that an arrow key moves the pen, without and with the shift key. */
const [STEP, SMALL_STEP] = [10, 2];
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The drawing area. Dispatches `change`. */
export class Pad extends EventTarget {
  /** Width of new strokes, pixels. */
  penWidth = 16;
  /** @type {readonly Stroke[]} */
  #strokes = [];
  /** @type {(readonly Stroke[])[]} */
  #past = [];
  /** Strokes that are being drawn, by the pointer that draws them. @type {Map<number, Stroke>} */
  #open = new Map();
  /**
   * The pen that keys move; its stroke while it is down.
   *
   * @type {{x: number, y: number, stroke: Stroke | null} | null}
   */
  #keyPen = null;
  /** Size when last shown, pixels. */
  #size = { width: 0, height: 0 };
  #painting = false;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.#open.delete(/** @type {PointerEvent} */ (event).pointerId));
    }
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#hidePen());
    // Also when its tab is hidden, where it has no size.
    new ResizeObserver(() => this.isShown && this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  get isEmpty() {
    return this.#strokes.length === 0;
  }

  get isShown() {
    return this.canvas.clientWidth > 0;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  /** The current drawing. */
  drawing() {
    return new Drawing(this.#strokes, this.canvas.clientWidth, this.canvas.clientHeight);
  }

  /** Undo the last stroke or the last clearing. */
  undo() {
    this.#lift();
    this.#strokes = this.#past.pop() ?? this.#strokes;
    this.#changed();
  }

  clear() {
    if (this.isEmpty) return;
    this.#lift();
    this.#past.push(this.#strokes);
    this.#strokes = [];
    this.#changed();
  }

  /** @param {number} x @param {number} y */
  #begin(x, y) {
    /** @type {Stroke} */
    const stroke = { width: this.penWidth, points: [[x, y]] };
    this.#past.push(this.#strokes);
    this.#strokes = [...this.#strokes, stroke];
    this.#changed();
    return stroke;
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    this.#hidePen();
    // A pointer event made by a script cannot be captured.
    if (event.isTrusted) this.canvas.setPointerCapture(event.pointerId);
    this.#open.set(event.pointerId, this.#begin(event.offsetX, event.offsetY));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const stroke = this.#open.get(event.pointerId);
    if (!stroke) return;
    const { left, top } = this.canvas.getBoundingClientRect();
    // The pen reports more positions than the screen shows.
    const moments = event.getCoalescedEvents?.() ?? [];
    for (const { clientX, clientY } of moments.length ? moments : [event]) {
      stroke.points.push([clientX - left, clientY - top]);
    }
    this.#changed();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.#steer(arrow, event.shiftKey ? SMALL_STEP : STEP);
    else if (event.key === " ") this.#togglePen();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
  }

  /** Position of the keyboard's pen: the last one, or the upper middle, where a digit starts. */
  #pen() {
    const { clientWidth, clientHeight } = this.canvas;
    return (this.#keyPen ??= { x: clientWidth / 2, y: clientHeight / 4, stroke: null });
  }

  /** @param {[number, number]} arrow @param {number} step */
  #steer([right, down], step) {
    const pen = this.#pen();
    pen.x = Math.min(Math.max(pen.x + right * step, 0), this.canvas.clientWidth);
    pen.y = Math.min(Math.max(pen.y + down * step, 0), this.canvas.clientHeight);
    pen.stroke?.points.push([pen.x, pen.y]);
    if (pen.stroke) this.#changed();
    else this.#paint();
  }

  #togglePen() {
    const pen = this.#pen();
    pen.stroke = pen.stroke ? null : this.#begin(pen.x, pen.y);
    this.#paint();
  }

  #hidePen() {
    this.#keyPen = null;
    this.#paint();
  }

  /** End all strokes: their canvas may be gone. */
  #lift() {
    this.#open.clear();
    if (this.#keyPen) this.#keyPen.stroke = null;
  }

  /** Keep the drawing inside when a phone is turned or a window made smaller. */
  #resize() {
    const size = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    for (const strokes of this.#sheets()) keepOnPad(strokes, this.#size, size);
    this.#size = size;
    const pen = this.#keyPen;
    if (pen) [pen.x, pen.y] = pen.stroke?.points.at(-1) ?? [Math.min(pen.x, size.width), Math.min(pen.y, size.height)];
    this.#changed();
  }

  /** The drawing, and those before each clearing, which undo restores; no two share a stroke. */
  #sheets() {
    return [...this.#past, this.#strokes].filter((_, i, all) => !all[i + 1]?.length);
  }

  #changed() {
    this.#paint();
    this.dispatchEvent(new Event("change"));
  }

  #paint() {
    if (this.#painting) return;
    this.#painting = true;
    requestAnimationFrame(() => {
      this.#painting = false;
      const context = prepareCanvas(this.canvas);
      drawStrokes(context, this.#strokes, getComputedStyle(this.canvas).color);
      if (this.#keyPen) drawPen(context, this.#keyPen, this.penWidth);
    });
  }
}

/**
 * A ring, filled while the pen is down.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, stroke: unknown}} pen
 * @param {number} width
 */
function drawPen(context, pen, width) {
  context.beginPath();
  context.arc(pen.x, pen.y, width / 2 + 3, 0, 2 * Math.PI);
  [context.lineWidth, context.strokeStyle, context.fillStyle] = [3, "rgb(190 70 0)", "rgb(190 70 0)"];
  context.stroke();
  if (pen.stroke) context.fill();
}
