// Prediction of a block from the decoded block of a finer group. All is float32, one operation after the other, as
// comeo.codecs.prediction has it: Math.fround rounds what is not stored in a Float32Array at once.

import { fillInvalid } from './fill.js';
import { PayloadError } from './payload.js';

const KINDS = 4; // features a band of the reference
const MAX_REFERENCE_BANDS = 16;
const LOWEST_EXPONENT = -48;
const COUNT_BITS = 4;
const EXPONENT_BITS = 6;
const THIRD = Math.fround(1 / 3);

/**
 * @typedef {import('./types').Reference} Reference
 * @typedef {import('./payload.js').Payload} Payload
 */

/**
 * Read what a payload's body starts with if it is predicted, and what follows it.
 *
 * @param {Payload} payload
 * @param {Reference} reference
 * @returns {{ weights: Float32Array, body: Uint8Array }} Weights: features, bands.
 */
export function takePrediction({ bands, height, width, body }, reference) {
  const size = [reference.bands, reference.height, reference.width];
  const fits = reference.data instanceof Float32Array && reference.data.length === size[0] * height * width;
  if (!fits || size[1] !== height || size[2] !== width) {
    throw new PayloadError(`the block's reference is float32 of bands×${height}×${width}, not ${size.join('×')}`);
  }
  const own = body[0] ?? 0;
  if (own < 1 || own > MAX_REFERENCE_BANDS) throw new PayloadError("the payload's prediction is damaged");
  let place = 8;
  const take = (/** @type {number} */ count) => {
    let value = 0;
    for (; count > 0; count--, place++) {
      if (place >= 8 * body.length) throw new PayloadError('the payload is cut short inside its prediction');
      value = value * 2 + ((body[place >> 3] >> (7 - (place & 7))) & 1);
    }
    return value;
  };
  const weights = new Float32Array(KINDS * own * bands);
  for (let feature = 0; feature < KINDS * own; feature++) {
    const count = take(COUNT_BITS);
    if (!count) continue;
    const unit = 2 ** (take(EXPONENT_BITS) + LOWEST_EXPONENT);
    for (let band = 0; band < bands; band++) {
      const bits = take(count);
      weights[feature * bands + band] = (bits >= 2 ** (count - 1) ? bits - 2 ** count : bits) * unit;
    }
  }
  if (own !== reference.bands) throw new PayloadError(`the payload is predicted from ${own} bands, not ${reference.bands}`);
  return { weights, body: body.subarray(Math.ceil(place / 8)) };
}

/**
 * Add what is predicted to decoded bands, in place.
 *
 * @param {Float32Array} values Bands, at 1/2^reduce of the size.
 * @param {Float32Array} weights Features, bands.
 * @param {Reference} reference At full size.
 * @param {number} bands
 * @param {number} reduce
 */
export function addPrediction(values, weights, reference, bands, reduce) {
  const { height, width } = reference;
  const features = featuresOf(reference);
  const plane = height * width;
  for (let band = 0; band < bands; band++) {
    const sums = new Float32Array(plane);
    features.forEach((feature, k) => {
      const weight = weights[k * bands + band];
      if (weight) for (let i = 0; i < plane; i++) sums[i] += Math.fround(weight * feature[i]);
    });
    const predicted = reduceMean(sums, height, width, reduce);
    const start = band * predicted.length;
    for (let i = 0; i < predicted.length; i++) values[start + i] += predicted[i];
  }
}

/**
 * What is predicted from, kind by kind: roots of the smoothed bands, twice smoothed, smoothed and plain ones.
 *
 * @param {Reference} reference
 */
function featuresOf({ data, bands, height, width }) {
  const plane = height * width;
  const planes = Array.from({ length: bands }, (_, band) => {
    return fillInvalid(data.subarray(band * plane, (band + 1) * plane), height, width);
  });
  const once = planes.map((values) => smoothed(values, height, width));
  const roots = once.map((values) => values.map((value) => Math.sqrt(Math.max(value, 0))));
  return [...roots, ...once.map((values) => smoothed(values, height, width)), ...once, ...planes];
}

/**
 * The mean of 3×3 pixels, edges repeated: thirds of sums down, then across.
 *
 * @param {Float32Array} plane
 * @param {number} height
 * @param {number} width
 */
function smoothed(plane, height, width) {
  const result = new Float32Array(plane.length);
  const line = new Float32Array(width);
  for (let y = 0; y < height; y++) {
    const [above, here, below] = [Math.max(y - 1, 0), y, Math.min(y + 1, height - 1)].map((row) => row * width);
    for (let x = 0; x < width; x++) {
      line[x] = Math.fround(Math.fround(plane[above + x] + plane[here + x]) + plane[below + x]) * THIRD;
    }
    for (let x = 0; x < width; x++) {
      const sum = Math.fround(line[Math.max(x - 1, 0)] + line[x]);
      result[here + x] = Math.fround(sum + line[Math.min(x + 1, width - 1)]) * THIRD;
    }
  }
  return result;
}

/**
 * The mean of each 2^reduce × 2^reduce pixels, fewer at the far edges: sums down, then across.
 *
 * @param {Float32Array} plane
 * @param {number} height
 * @param {number} width
 * @param {number} reduce
 */
function reduceMean(plane, height, width, reduce) {
  if (!reduce) return plane;
  const side = 1 << reduce;
  const [rows, columns] = [Math.ceil(height / side), Math.ceil(width / side)];
  const result = new Float32Array(rows * columns);
  const line = new Float32Array(columns * side);
  for (let row = 0; row < rows; row++) {
    const [first, last] = [row * side, Math.min((row + 1) * side, height)];
    line.fill(0);
    for (let y = first; y < last; y++) for (let x = 0; x < width; x++) line[x] += plane[y * width + x];
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let x = column * side; x < (column + 1) * side; x++) sum = Math.fround(sum + line[x]);
      result[row * columns + column] = sum / ((last - first) * Math.min(side, width - column * side));
    }
  }
  return result;
}
