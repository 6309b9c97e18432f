/**
 * Operations on gray images, to the same rounding as the OpenCV functions that `edge/reading/framing.py` calls.
 *
 * @typedef {import("./types.js").Gray} Gray
 */

// OpenCV's weights of a 3x3 neighbourhood in a Euclidean distance, as fixed point numbers of 16 bits.
const ONE = 65536;
const STRAIGHT = Math.round(0.955 * ONE);
const DIAGONAL = Math.round(1.3693 * ONE);
// Its weights in interpolation have 11 bits.
const WEIGHT = 2048;

/** As Python's round() and OpenCV's cvRound(): halves go to the even neighbour. @param {number} value */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** @param {number} width @param {number} height @returns {Gray} */
export function blank(width, height) {
  return { data: new Uint8Array(width * height), width, height };
}

/**
 * Scale an image: by halves as long as they go, then interpolating.
 *
 * @param {Gray} image
 * @param {number} scale
 * @returns {Gray}
 */
export function resize(image, scale) {
  if (scale === 1) return image;
  const height = Math.max(1, roundHalfEven(image.height * scale));
  const width = Math.max(1, roundHalfEven(image.width * scale));
  while (image.height >= Math.max(2, 2 * height) && image.width >= Math.max(2, 2 * width)) image = halve(image);
  return image.height === height && image.width === width ? image : interpolate(image, width, height);
}

/** Half as large, each pixel the mean of four; an odd row or column at the end is left out. @param {Gray} image */
export function halve(image) {
  const small = blank(image.width >> 1, image.height >> 1);
  for (let y = 0; y < small.height; y++) {
    for (let x = 0; x < small.width; x++) {
      const i = 2 * y * image.width + 2 * x;
      const below = i + image.width;
      const sum = image.data[i] + image.data[i + 1] + image.data[below] + image.data[below + 1];
      small.data[y * small.width + x] = (sum + 2) >> 2;
    }
  }
  return small;
}

/**
 * Bilinear, in the integers in which OpenCV computes it.
 *
 * @param {Gray} image
 * @param {number} width
 * @param {number} height
 */
export function interpolate(image, width, height) {
  const across = sampleAxis(image.width, width);
  const down = sampleAxis(image.height, height);
  const result = blank(width, height);
  /** @param {number} y @param {number} x */
  const blend = (y, x) => {
    const { first, second, weights } = across;
    const start = y * image.width;
    const left = image.data[start + first[x]] * (WEIGHT - weights[x]);
    return (left + image.data[start + second[x]] * weights[x]) >> 4;
  };
  for (let y = 0; y < height; y++) {
    const weight = down.weights[y];
    for (let x = 0; x < width; x++) {
      const upper = ((WEIGHT - weight) * blend(down.first[y], x)) >> 16;
      const lower = (weight * blend(down.second[y], x)) >> 16;
      result.data[y * width + x] = (upper + lower + 2) >> 2;
    }
  }
  return result;
}

/** Which two pixels each new one lies between, and the second one's weight. @param {number} from @param {number} to */
function sampleAxis(from, to) {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const weights = new Int32Array(to);
  for (let i = 0; i < to; i++) {
    const at = Math.fround((i + 0.5) * (from / to) - 0.5);
    const pixel = Math.floor(at);
    const inside = pixel >= 0 && pixel < from - 1;
    first[i] = Math.min(Math.max(pixel, 0), from - 1);
    second[i] = Math.min(first[i] + 1, from - 1);
    weights[i] = inside ? roundHalfEven(Math.fround(at - pixel) * WEIGHT) : 0;
  }
  return { first, second, weights };
}

/** With paper added all around. @param {Gray} image @param {number} margin @returns {Gray} */
export function pad(image, margin) {
  const padded = blank(image.width + 2 * margin, image.height + 2 * margin);
  for (let y = 0; y < image.height; y++) {
    const row = image.data.subarray(y * image.width, (y + 1) * image.width);
    padded.data.set(row, (y + margin) * padded.width + margin);
  }
  return padded;
}

/** The offsets [dx, dy] of an ellipse's pixels around its anchor. @param {number} side @returns {[number, number][]} */
function disc(side) {
  const radius = side >> 1;
  /** @type {[number, number][]} */
  const offsets = [];
  for (let y = 0; y < side; y++) {
    const rise = y - radius;
    const half = roundHalfEven(radius * Math.sqrt((radius * radius - rise * rise) / (radius * radius)));
    const end = Math.min(radius + half + 1, side);
    for (let x = Math.max(radius - half, 0); x < end; x++) offsets.push([x - radius, rise]);
  }
  return offsets;
}

/** Each pixel the strongest under a disc. @param {Gray} image @param {number} side  Of the disc, 2 or more. */
export function dilate(image, side) {
  return sweep(image, side, 0, Math.max);
}

/**
 * Each pixel the weakest under a disc; beyond the edge lies paper.
 *
 * @param {Gray} image
 * @param {number} side  2 or more.
 */
export function erode(image, side) {
  return sweep(image, side, 255, Math.min);
}

/**
 * @param {Gray} image
 * @param {number} side
 * @param {number} start
 * @param {(a: number, b: number) => number} choose
 */
function sweep(image, side, start, choose) {
  const { width, height } = image;
  const offsets = disc(side);
  const result = blank(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let best = start;
      for (const [dx, dy] of offsets) {
        const inside = x + dx >= 0 && x + dx < width && y + dy >= 0 && y + dy < height;
        best = choose(best, inside ? image.data[(y + dy) * width + x + dx] : 0);
      }
      result.data[y * width + x] = best;
    }
  }
  return result;
}

/**
 * Each pixel the strongest of a square around it, as far as that lies in the image.
 *
 * @param {Gray} image
 * @param {number} side
 */
export function pickStrongest(image, side) {
  return filterLines(image, side, (line, before, after, result) => {
    for (let i = 0; i < line.length; i++) {
      let best = 0;
      const end = Math.min(line.length, i + after);
      for (let j = Math.max(0, i - before); j < end; j++) if (line[j] > best) best = line[j];
      result[i] = best;
    }
  });
}

/** As `pickStrongest`, but the weakest. @param {Gray} image @param {number} side */
export function pickWeakest(image, side) {
  return invert(pickStrongest(invert(image), side));
}

/** @param {Gray} image @returns {Gray} */
export function invert(image) {
  return { ...image, data: image.data.map((value) => 255 - value) };
}

/**
 * Each pixel the mean of a square around it, as far as that lies in the image.
 *
 * @param {Gray} image
 * @param {number} side
 */
export function average(image, side) {
  return filterLines(image, side, (line, before, after, result) => {
    let [sum, from, to] = [0, 0, 0];
    for (let i = 0; i < line.length; i++) {
      while (to < Math.min(line.length, i + after)) sum += line[to++];
      while (from < i - before) sum -= line[from++];
      result[i] = Math.round(sum / (to - from));
    }
  });
}

/**
 * Filter each row, then each column of the result.
 *
 * @param {Gray} image
 * @param {number} side
 * @param {(line: Uint8Array, before: number, after: number, result: Uint8Array) => void} filter  Uses the pixels from
 *   `before` before each one to `after` after it, that one excluded.
 */
function filterLines({ data, width, height }, side, filter) {
  const [before, after] = [side >> 1, side - (side >> 1)];
  const filtered = blank(width, height);
  for (let y = 0; y < height; y++) {
    const [start, end] = [y * width, (y + 1) * width];
    filter(data.subarray(start, end), before, after, filtered.data.subarray(start, end));
  }
  const [column, result] = [new Uint8Array(height), new Uint8Array(height)];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) column[y] = filtered.data[y * width + x];
    filter(column, before, after, result);
    for (let y = 0; y < height; y++) filtered.data[y * width + x] = result[y];
  }
  return filtered;
}

/**
 * The distance of each pixel that is not 0 to the nearest that is, in pixels; the outermost pixels must be 0.
 *
 * Source: G. Borgefors, "Distance transformations in digital images" (1986), 3x3 neighbourhood.
 *
 * @param {Gray} mask
 * @returns {Float32Array}
 */
export function measureDistances(mask) {
  const { data, width, height } = mask;
  const distances = new Float64Array(width * height).map((_, i) => (data[i] ? Infinity : 0));
  /** @param {number} i @param {number} step  -1 looks up and left, 1 down and right. */
  const relax = (i, step) => {
    const beyond = i + step * width;
    const straight = Math.min(distances[beyond], distances[i + step]) + STRAIGHT;
    const diagonal = Math.min(distances[beyond - 1], distances[beyond + 1]) + DIAGONAL;
    distances[i] = Math.min(distances[i], straight, diagonal);
  };
  for (let i = width + 1; i < data.length - width - 1; i++) if (data[i]) relax(i, -1);
  for (let i = data.length - width - 2; i > width; i--) if (data[i]) relax(i, 1);
  return Float32Array.from(distances, (distance) => distance / ONE);
}
