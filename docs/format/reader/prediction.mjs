// Prediction from a finer group: what a payload says of it, and what comes of a reference.

import { check } from './bytes.mjs';

const KINDS = 4, LOWEST = -48;
const f32 = Math.fround;
const THIRD = f32(1 / 3);

// The weights that a payload has, [feature][band], and the bytes behind them.
export function readPrediction(bytes, bands) {
  const count = bytes[0];
  check(count >= 1 && count <= 16, 'the prediction is damaged');
  let at = 8;
  const number = (size) => {
    let value = 0;
    for (let index = 0; index < size; index++, at++) {
      check(at >> 3 < bytes.length, 'the prediction is cut short');
      value = 2 * value + ((bytes[at >> 3] >> (7 - (at & 7))) & 1);
    }
    return value;
  };
  const weights = Array.from({ length: KINDS * count }, () => {
    const size = number(4);
    const unit = size ? 2 ** (number(6) + LOWEST) : 0;
    return Array.from({ length: bands }, () => {
      const value = number(size);
      return (value >= 2 ** (size - 1) && size ? value - 2 ** size : value) * unit;
    });
  });
  return { weights, rest: bytes.subarray(Math.ceil(at / 8)) };
}

// A plane whose cells are known where `known` is 1: the others are filled.
function filled(values, known, height, width) {
  if (!known.includes(0) || height * width === 1) return values;
  const [tall, wide] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const means = new Float32Array(tall * wide);
  const covered = new Uint8Array(tall * wide);
  for (let row = 0; row < tall; row++)
    for (let col = 0; col < wide; col++) {
      const cell = (dy, dx) => {
        const [y, x] = [2 * row + dy, 2 * col + dx];
        return y < height && x < width && known[y * width + x] ? [values[y * width + x], 1] : [0, 0];
      };
      const [a, b, c, d] = [cell(0, 0), cell(0, 1), cell(1, 0), cell(1, 1)];
      const count = a[1] + b[1] + c[1] + d[1];
      if (count) means[row * wide + col] = f32(f32(a[0] + c[0]) + f32(b[0] + d[0])) / count;
      covered[row * wide + col] = count ? 1 : 0;
    }
  const coarse = filled(means, covered, tall, wide);
  const between = (own, beside) => f32(f32(0.75 * own) + f32(0.25 * beside));
  const neighbour = (place, length) => Math.min(Math.max((place >> 1) + (place % 2 ? 1 : -1), 0), length - 1);
  const down = (row, col) => between(coarse[(row >> 1) * wide + col], coarse[neighbour(row, tall) * wide + col]);
  return values.map((value, place) => {
    if (known[place]) return value;
    const [row, col] = [Math.floor(place / width), place % width];
    return between(down(row, col >> 1), down(row, neighbour(col, wide)));
  });
}

function smoothed(plane, height, width) {
  const third = (a, b, c) => f32(f32(f32(a + b) + c) * THIRD);
  const down = plane.map((value, place) => {
    const [row, col] = [Math.floor(place / width), place % width];
    return third(plane[Math.max(row - 1, 0) * width + col], value, plane[Math.min(row + 1, height - 1) * width + col]);
  });
  return down.map((value, place) => {
    const col = place % width;
    return third(down[col ? place - 1 : place], value, down[col < width - 1 ? place + 1 : place]);
  });
}

// Each band's prediction from a reference: planes of height × width, NaN where nothing is known.
export function predict(weights, reference, height, width) {
  check(weights.length === KINDS * reference.length, 'the prediction is from another number of bands');
  const plain = reference.map((plane) => {
    const known = Uint8Array.from(plane, (value) => (Number.isNaN(value) ? 0 : 1));
    return filled(plane.map((value) => (Number.isNaN(value) ? 0 : value)), known, height, width);
  });
  const once = plain.map((plane) => smoothed(plane, height, width));
  const twice = once.map((plane) => smoothed(plane, height, width));
  const roots = once.map((plane) => plane.map((value) => Math.sqrt(Math.max(value, 0))));
  const features = [...roots, ...twice, ...once, ...plain];
  return weights[0].map((_, band) => {
    const sum = new Float32Array(height * width);
    features.forEach((plane, number) => {
      const weight = weights[number][band];
      if (weight) for (let place = 0; place < sum.length; place++) sum[place] += f32(weight * plane[place]);
    });
    return sum;
  });
}
