// A payload: header, masks, spectral transform, result.

import { inflateRawSync } from 'node:zlib';

import { FormatError, check } from './bytes.mjs';
import { decodeDct } from './dct.mjs';
import { predict, readPrediction } from './prediction.mjs';

const CODECS = { 1: 'dct', 2: 'jpeg2000', 3: 'learned' };
const FLOATS = 1, SPECIAL = 2, MASKED = 4, SATURATED = 8, PER_BAND = 16, PREDICTED = 32, WEIGHTED = 64, MORE = 128;
const FINE_MEANS = 1, CORRECTED = 2; // of the further flags
const MAX_SAMPLES = 2 ** 22;

function half16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

// Reads a bitmap at a position: [planes × height × width bytes of 0 and 1, position behind it].
function bitmap(payload, at, planes, height, width) {
  let length = 0;
  for (let byte = 0; ; byte++) {
    check(byte < 5 && at < payload.length, 'a bitmap has no length');
    length += (payload[at] & 127) * 2 ** (7 * byte);
    if (payload[at++] < 128) break;
  }
  check(at + length <= payload.length, 'a bitmap is cut short');
  const stride = Math.ceil(width / 8);
  const size = planes * height * stride;
  let inflated;
  try {
    inflated = inflateRawSync(payload.subarray(at, at + length), { maxOutputLength: size + 1, info: true });
  } catch (error) {
    throw new FormatError(`a bitmap cannot be inflated: ${error.message}`);
  }
  const rows = inflated.buffer;
  check(rows.length === size, 'a bitmap has another size than the block');
  check(inflated.engine.bytesWritten === length, 'bytes stand behind a bitmap');
  for (let row = 0; row < planes * height; row++) {
    if (row % height === 0) continue;
    for (let index = row * stride; index < (row + 1) * stride; index++) rows[index] ^= rows[index - stride];
  }
  const bits = new Uint8Array(planes * height * width);
  for (let row = 0, out = 0; row < planes * height; row++)
    for (let col = 0; col < width; col++) bits[out++] = (rows[row * stride + (col >> 3)] >> (7 - (col & 7))) & 1;
  return [bits, at + length];
}

// Header, masks and what is left: the payload without its body decoded.
export function parsePayload(payload) {
  check(payload.length >= 12 && payload[0] === 1, 'the payload is of an unknown version');
  const [codec, flags, bands] = [CODECS[payload[1]], payload[2], payload[3]];
  const [height, width, step] = [payload.readUInt16LE(4), payload.readUInt16LE(6), payload.readFloatLE(8)];
  const further = flags & MORE ? payload[12] : 0;
  const known = CORRECTED | (codec === 'dct' ? FINE_MEANS : 0);
  check(codec && (!(flags & MORE) || (further && !(further & ~known))), 'the payload has an unknown codec or flag');
  check(bands && height && width && bands * height * width <= MAX_SAMPLES, 'the block has an impossible size');
  check(step > 0 && step < Infinity, 'the step is no number above 0');
  const pixels = height * width;
  const header = { codec, flags, bands, height, width, step, float: Boolean(flags & FLOATS), fineMeans: Boolean(further & FINE_MEANS) };
  let at = flags & MORE ? 13 : 12;
  let correction = null;
  if (further & CORRECTED) {
    check(flags & FLOATS && at + 6 * bands <= payload.length, 'the correction is cut short, or one of integers');
    correction = Array.from({ length: bands }, () => {
      const codes = Array.from(payload.subarray(at, (at += 6)));
      return { corners: codes.slice(0, 4).map((code) => (code - 50) / 100), level: (codes[4] - 128) / 2, gain: (codes[5] - 64) / 256 };
    });
  }
  let valid = new Uint8Array(bands * pixels).fill(1);
  let saturated = new Uint8Array(bands * pixels);
  if (flags & MASKED) {
    const planes = flags & PER_BAND ? bands : 1;
    let found;
    [found, at] = bitmap(payload, at, planes, height, width);
    valid = valid.map((_, index) => found[planes === 1 ? index % pixels : index]);
  }
  if (flags & SATURATED) [saturated, at] = bitmap(payload, at, bands, height, width);
  const usable = valid.some((bit, index) => bit && !saturated[index]);
  check(usable || at === payload.length, 'a block without pixels goes on behind its masks');
  const weights = new Array(bands).fill(1);
  if (flags & WEIGHTED && usable) {
    check(at + bands <= payload.length, 'the weights are cut short');
    for (let band = 0; band < bands; band++) weights[band] = payload[at++] / 16;
    check(weights.every((weight) => weight > 0), 'a weight is 0');
  }
  let rest = payload.subarray(at);
  let prediction = null;
  if (flags & PREDICTED) {
    const found = readPrediction(rest, bands);
    [prediction, rest] = [found.weights, found.rest];
  }
  return { ...header, correction, valid, saturated, usable, weights, prediction, rest };
}

function spectralMatrix(bands, angles) {
  const matrix = Array.from({ length: bands }, (_, row) => {
    const line = new Float64Array(bands);
    line[row] = 1;
    return line;
  });
  const pairs = [];
  for (let i = 0; i < bands; i++) for (let j = i + 1; j < bands; j++) pairs.push([i, j]);
  for (let index = pairs.length - 1; index >= 0; index--) {
    const [i, j] = pairs[index];
    const theta = (angles[index] * Math.PI) / 256;
    const [cos, sin] = [Math.cos(theta), Math.sin(theta)];
    for (const line of matrix)
      [line[i], line[j]] = [cos * line[i] - sin * line[j], sin * line[i] + cos * line[j]];
  }
  return matrix;
}

function rounded(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 ? floor + 1 : floor;
  return rest < 0.5 ? floor : floor + 1;
}

// Of a mask (bands, height, width) at half size: set where at least half of the covered pixels are.
function halfMask(mask, bands, height, width) {
  const [tall, wide] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const [set, all] = [new Uint8Array(bands * tall * wide), new Uint8Array(bands * tall * wide)];
  mask.forEach((bit, index) => {
    const [line, col] = [Math.floor(index / width), index % width];
    const cell = (Math.floor(line / height) * tall + ((line % height) >> 1)) * wide + (col >> 1);
    set[cell] += bit;
    all[cell]++;
  });
  return set.map((count, cell) => Number(2 * count >= all[cell]));
}

// A decoded value with its correction: the plane between the four corners of the block, and a gain of what is above the level.
function corrected(value, { corners, level, gain }, { height, width }, pixel) {
  const [upperLeft, upperRight, lowerLeft, lowerRight] = corners;
  const [down, across] = [(Math.floor(pixel / width) + 0.5) / height, ((pixel % width) + 0.5) / width];
  const left = upperLeft + (lowerLeft - upperLeft) * down;
  const right = upperRight + (lowerRight - upperRight) * down;
  return value + left + (right - left) * across + gain * Math.max(0, value - level);
}

// What the body and a prediction decode to, [band][pixel], before rounding.
function bandsOf(block, half, reference) {
  const { bands, height, width, rest, weights } = block;
  const pairs = (bands * (bands - 1)) / 2;
  check(rest.length >= 2 * bands + pairs, 'the spectral transform is cut short');
  const means = Array.from({ length: bands }, (_, band) => half16(rest.readUInt16LE(2 * band)));
  const matrix = spectralMatrix(bands, rest.subarray(2 * bands, 2 * bands + pairs));
  check(block.codec === 'dct', `bodies of ${block.codec} are not read here`);
  const components = decodeDct(rest.subarray(2 * bands + pairs), block, half);
  check(!block.prediction || (reference && !half), 'the payload is predicted from a finer group');
  const predicted = block.prediction && predict(block.prediction, reference, height, width);
  return means.map((mean, band) =>
    components[0].map((_, pixel) => {
      let value = mean;
      for (let row = 0; row < bands; row++) value += matrix[row][band] * components[row][pixel];
      if (predicted) value += predicted[band][pixel];
      value /= weights[band];
      return block.correction ? corrected(value, block.correction[band], block, pixel) : value;
    }));
}

// The pixels of a block, (bands, height, width) as one typed array, at half size if that is asked for. A predicted one takes its
// reference: planes of its size, one a band, NaN where nothing is known.
export function decodePayload(payload, { half = false, reference = null } = {}) {
  const block = parsePayload(payload);
  const { bands, float, flags } = block;
  check(!half || !block.correction, 'decibels are not predicted from');
  const [height, width] = half ? [block.height, block.width].map((side) => Math.ceil(side / 2)) : [block.height, block.width];
  const [valid, saturated] = [block.valid, block.saturated].map((mask) =>
    (half ? halfMask(mask, bands, block.height, block.width) : mask));
  const pixels = height * width;
  const data = float ? new Float32Array(bands * pixels) : new Uint16Array(bands * pixels);
  const lowest = flags & SPECIAL ? 1 : 0;
  const values = block.usable ? bandsOf(block, half, reference) : null;
  for (let index = 0; index < data.length; index++) {
    const value = values ? values[Math.floor(index / pixels)][index % pixels] : 0;
    data[index] = float ? value : Math.min(65534, Math.max(lowest, rounded(value)));
    if (!float && saturated[index]) data[index] = 65535;
    if (!valid[index]) data[index] = float ? NaN : 0;
  }
  return { ...block, height, width, valid, saturated, data };
}
