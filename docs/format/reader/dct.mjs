// The body of `dct`: bits to levels, levels to coefficients, coefficients to components.

import { readFileSync } from 'node:fs';

import { check, npzArray } from './bytes.mjs';

const TILE = 16, HALF = 8, MAX_BITS = 12;
const TABLES = new URL('../../../codecs/comeo/codecs/dct/tables_1.npz', import.meta.url);
const BASES = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 2048];
const EXTRA = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 6, 7, 8, 9, 10, 11];
const TO_THE_END = 18;
const ZONES = 6, CLASSES = 8, DC_CLASSES = 6;
const LIMITS = [2, 5, 12, 30, 70], DC_LIMITS = [1, 3, 8, 20, 60];
const CONTEXTS_AT = (CLASSES + DC_CLASSES) * ZONES;
const RUNS_AT = CONTEXTS_AT + 7 * 5;
const RANKS_AT = RUNS_AT + 5;

class Bits {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  bit() {
    const byte = this.at >> 3;
    check(byte < this.bytes.length, 'the body is cut short');
    return (this.bytes[byte] >> (7 - (this.at++ & 7))) & 1;
  }

  number(count) {
    let value = 0;
    for (let index = 0; index < count; index++) value = 2 * value + this.bit();
    return value;
  }

  gamma() {
    let zeros = 0;
    while (!this.bit()) check(++zeros < 32, 'a magnitude has no end');
    return 2 ** zeros + this.number(zeros);
  }

  // Canonical code: `first[length]` is the first code of a length, `symbols` are in order of the codes.
  symbol(code) {
    let value = 0;
    for (let length = 1, index = 0; length <= MAX_BITS; length++) {
      value = 2 * value + this.bit();
      const count = code.counts[length];
      if (value - code.first[length] < count) return code.symbols[index + value - code.first[length]];
      index += count;
    }
    check(false, 'a code is unknown');
  }
}

function canonical(lengths) {
  const counts = new Array(MAX_BITS + 1).fill(0);
  for (const length of lengths) if (length) counts[length]++;
  const first = new Array(MAX_BITS + 1).fill(0);
  for (let length = 1, code = 0; length <= MAX_BITS; length++) first[length] = code = 2 * (code + (length > 1 ? counts[length - 1] : 0));
  const symbols = [];
  for (let length = 1; length <= MAX_BITS; length++)
    lengths.forEach((own, symbol) => own === length && symbols.push(symbol));
  return { counts, first, symbols };
}

let known;
function tables() {
  if (!known) {
    const file = readFileSync(TABLES);
    const { shape, data } = npzArray(file, 'lengths');
    const codes = Array.from({ length: shape[0] }, (_, row) => canonical([...data.subarray(row * shape[1], (row + 1) * shape[1])]));
    known = { codes, offsets: npzArray(file, 'offsets').data };
  }
  return known;
}

const scans = new Map();
// Positions row · width + column in order of frequency.
function scan(height, width) {
  const key = `${height},${width}`;
  if (!scans.has(key)) {
    const places = [];
    for (let row = 0; row < height; row++) for (let col = 0; col < width; col++) places.push([row, col]);
    const rank = ([row, col]) => (2 * row + 1) * width + (2 * col + 1) * height;
    const even = ([row, col]) => (row + col) % 2 === 0;
    const within = (place) => (even(place) ? -place[0] : place[0]);
    places.sort((a, b) => rank(a) - rank(b) || within(a) - within(b));
    scans.set(key, places.map(([row, col]) => row * width + col));
  }
  return scans.get(key);
}

function zone(position, limits) {
  return limits.filter((limit) => limit <= position).length;
}

// Reads the levels of one tile or DC plane into `out`, by positions of `order` from `from` on.
function levels(bits, { table, row, limits, order, from, step, out, place }) {
  const { codes, offsets } = tables();
  for (let position = 0; position < order.length - from; ) {
    const symbol = bits.symbol(codes[table + zone(position, limits)]);
    if (symbol === 0) return;
    const [category, size] = [Math.floor((symbol - 1) / 5), (symbol - 1) % 5];
    position += BASES[category] + bits.number(EXTRA[category]);
    check(position < order.length - from, 'a level lies outside its tile');
    const magnitude = [() => 1, () => 2, () => 3 + bits.number(1), () => 5 + bits.number(2), () => 8 + bits.gamma()][size]();
    const sign = bits.bit() ? -1 : 1;
    const offset = offsets[row * 3 + Math.min(magnitude, 3) - 1] / 64;
    out[place(order[from + position])] = sign * (magnitude - offset) * step;
    position++;
  }
}

function firstContext(total) {
  if (total <= 1) return total;
  return [3, 5, 8, 12].filter((limit) => limit < total).length + 2;
}

function secondContext(index, same) {
  if (index === 0) return 0;
  return same === 0 ? 1 : same <= 2 ? 2 : same <= 5 ? 3 : 4;
}

// The class of each tile of a component, and into `out` its coefficients: (rows · 16) × (cols · 16).
function coefficients(bits, index, before, rows, cols, step, out) {
  const { codes } = tables();
  const width = cols * TILE;
  const dc = bits.symbol(codes[RANKS_AT + Math.min(index, 3)]);
  if (dc) {
    const place = (at) => Math.floor(at / cols) * TILE * width + (at % cols) * TILE;
    const row = CLASSES + dc - 1;
    levels(bits, { table: row * ZONES, row, limits: DC_LIMITS, order: scan(rows, cols), from: 0, step, out, place });
  }
  const classes = new Uint8Array(rows * cols);
  let empty = -1; // tiles of first context 0 that are still to be left out; -1: a run is to be read
  for (let tile = 0; tile < rows * cols; tile++) {
    const [row, col] = [Math.floor(tile / cols), tile % cols];
    const around = [];
    if (row) around.push(classes[tile - cols]);
    if (col) around.push(classes[tile - 1]);
    const first = firstContext(around.length === 1 ? 2 * around[0] : around.reduce((sum, one) => sum + one, 0));
    const second = secondContext(index, before?.[tile]);
    if (first === 0) {
      if (empty < 0) {
        const category = bits.symbol(codes[RUNS_AT + second]);
        empty = category === TO_THE_END ? Infinity : BASES[category] + bits.number(EXTRA[category]);
      }
      if (empty-- > 0) continue;
    }
    const own = bits.symbol(codes[CONTEXTS_AT + first * 5 + second]);
    check(own <= CLASSES, 'a class is unknown');
    classes[tile] = own;
    if (!own) continue;
    const corner = row * TILE * width + col * TILE;
    const place = (at) => corner + Math.floor(at / TILE) * width + (at % TILE);
    levels(bits, { table: (own - 1) * ZONES, row: own - 1, limits: LIMITS, order: scan(TILE, TILE), from: 1, step, out, place });
  }
  return classes;
}

// Rows of the orthonormal DCT-II or DCT-IV of n points.
function cosines(n, fourth = false) {
  return Array.from({ length: n }, (_, k) =>
    Float64Array.from({ length: n }, (_, i) =>
      fourth
        ? Math.sqrt(2 / n) * Math.cos((Math.PI / n) * (i + 0.5) * (k + 0.5))
        : Math.sqrt((k ? 2 : 1) / n) * Math.cos((Math.PI / n) * (i + 0.5) * k)));
}

const product = (a, b) => a.map((row) => b[0].map((_, col) => row.reduce((sum, value, k) => sum + value * b[k][col], 0)));
const transposed = (a) => Array.from(a[0], (_, col) => Array.from(a, (row) => row[col]));

function inverse(matrix) {
  const n = matrix.length;
  const work = matrix.map((row, index) => [...row, ...Array.from({ length: n }, (_, col) => Number(col === index))]);
  for (let col = 0; col < n; col++) {
    const pivot = work.reduce((best, row, index) => (index >= col && Math.abs(row[col]) > Math.abs(work[best][col]) ? index : best), col);
    [work[col], work[pivot]] = [work[pivot], work[col]];
    const scale = work[col][col];
    work[col] = work[col].map((value) => value / scale);
    for (let row = 0; row < n; row++) {
      const factor = row === col ? 0 : work[row][col];
      if (factor) work[row] = work[row].map((value, index) => value - factor * work[col][index]);
    }
  }
  return work.map((row) => row.slice(n));
}

// F⁻¹, 16 × 16.
function afterBorder() {
  const n = HALF;
  const exchange = Array.from({ length: n }, (_, row) => Array.from({ length: n }, (_, col) => Number(row + col === n - 1)));
  const gain = Array.from({ length: n }, (_, row) => Array.from({ length: n }, (_, col) => (row === col ? (row ? 1 : 1.2) : 0)));
  const dct = cosines(n).map((row) => [...row]);
  const fourth = cosines(n, true).map((row) => [...row]);
  const v = product(product(product(product(exchange, transposed(dct)), gain), fourth), exchange);
  const butterfly = Array.from({ length: 2 * n }, (_, row) =>
    Array.from({ length: 2 * n }, (_, col) => {
      const [upper, left] = [row < n, col < n];
      const [same, crossed] = [Number(row % n === col % n), Number((row % n) + (col % n) === n - 1)];
      return upper ? (left ? same : crossed) : left ? crossed : -same;
    }));
  const middle = Array.from({ length: 2 * n }, (_, row) =>
    Array.from({ length: 2 * n }, (_, col) => (row < n && col < n ? Number(row === col) : row >= n && col >= n ? v[row - n][col - n] : 0)));
  return inverse(product(product(butterfly, middle), butterfly).map((row) => row.map((value) => value / 2)));
}

const TILE_BASIS = cosines(TILE);
const BORDER = afterBorder();

// Undo the transform along one axis, for lines of `count` samples `stride` apart that start at `start`.
function undoLine(plane, start, stride, count) {
  const line = new Float64Array(count);
  for (let tile = 0; tile < count; tile += TILE)
    for (let k = 0; k < TILE; k++) {
      const value = plane[start + (tile + k) * stride];
      if (value) for (let i = 0; i < TILE; i++) line[tile + i] += value * TILE_BASIS[k][i];
    }
  for (let border = TILE; border < count; border += TILE) {
    const around = line.slice(border - HALF, border + HALF);
    for (let i = 0; i < TILE; i++) {
      let sum = 0;
      for (let k = 0; k < TILE; k++) sum += BORDER[i][k] * around[k];
      line[border - HALF + i] = sum;
    }
  }
  for (let i = 0; i < count; i++) plane[start + i * stride] = line[i];
}

// Fine means: a quarter of the step below a quarter of the plane's frequencies, half of it below half.
function refinePlane(plane, rows, cols) {
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const below = (share) => row < share * rows && col < share * cols;
      plane[row * TILE * cols * TILE + col * TILE] *= below(0.25) ? 0.25 : below(0.5) ? 0.5 : 1;
    }
}

// The inverse of an orthonormal DCT-II of the whole plane of DC coefficients, in place.
function undoPlane(plane, rows, cols) {
  const width = cols * TILE;
  const [down, across] = [cosines(rows), cosines(cols)];
  const at = (row, col) => row * TILE * width + col * TILE;
  const half = Array.from({ length: rows }, (_, k) =>
    Float64Array.from({ length: cols }, (_, x) => across.reduce((sum, basis, l) => sum + basis[x] * plane[at(k, l)], 0)));
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < cols; x++) plane[at(y, x)] = down.reduce((sum, basis, k) => sum + basis[y] * half[k][x], 0);
}

// Means of 2 × 2 samples of a plane of even sides.
function halved(plane, tall, wide) {
  const out = new Float64Array(plane.length / 4);
  for (let row = 0, at = 0; row < tall; row += 2)
    for (let col = 0; col < wide; col += 2) {
      const place = row * wide + col;
      out[at++] = (plane[place] + plane[place + 1] + plane[place + wide] + plane[place + wide + 1]) / 4;
    }
  return out;
}

// The components of a block, each (height, width), or at half size.
export function decodeDct(body, { bands, height, width, step, fineMeans }, half = false) {
  const [rows, cols] = [Math.ceil(height / TILE), Math.ceil(width / TILE)];
  const [tall, wide] = [rows * TILE, cols * TILE];
  const bits = new Bits(body);
  const out = [];
  let before = null;
  for (let index = 0; index < bands; index++) {
    const plane = new Float64Array(tall * wide);
    before = coefficients(bits, index, before, rows, cols, step, plane);
    if (fineMeans) refinePlane(plane, rows, cols);
    undoPlane(plane, rows, cols);
    for (let row = 0; row < tall; row++) undoLine(plane, row * wide, 1, wide);
    for (let col = 0; col < wide; col++) undoLine(plane, col, wide, tall);
    const [samples, stride] = half ? [halved(plane, tall, wide), wide / 2] : [plane, wide];
    const [lines, length] = half ? [Math.ceil(height / 2), Math.ceil(width / 2)] : [height, width];
    const cut = new Float64Array(lines * length);
    for (let row = 0; row < lines; row++) cut.set(samples.subarray(row * stride, row * stride + length), row * length);
    out.push(cut);
  }
  check(bits.at > 8 * (body.length - 1) && bits.at <= 8 * body.length, 'bytes are left over');
  return out;
}
