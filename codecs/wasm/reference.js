// What a block is predicted from: the blocks of a finer level, at half size, that show the same ground.

import { PayloadError } from './payload.js';

/** The reduction at which finer blocks are decoded, whatever that of the predicted block. */
export const REFERENCE_REDUCE = 1;

const SATURATED = 65535;

/**
 * @typedef {import('./types').Level} Level
 * @typedef {{ row: number, col: number, block: import('./types').Block }} Placed A block at half size.
 */

/**
 * The blocks of a finer level that a block's reference is made of: rows and columns.
 *
 * @param {Level} level
 * @param {Level} finer
 * @param {number} row
 * @param {number} col
 * @param {[number, number]} offset Pixels of the finer level, down and to the right, at which `level` begins on it.
 * @returns {[number, number][]}
 */
export function finerBlocks(level, finer, row, col, offset) {
  checkLevels(level, finer, row, col, offset);
  const rows = numbers(halfSpan(row, level.block, level.height, offset[0]), finer.block, finer.height);
  const columns = numbers(halfSpan(col, level.block, level.width, offset[1]), finer.block, finer.width);
  return rows.flatMap((r) => columns.map((c) => /** @type {[number, number]} */ ([r, c])));
}

/**
 * Make the reference of a block of the finer blocks that `finerBlocks` lists.
 *
 * @param {Level} level
 * @param {Level} finer
 * @param {number} row
 * @param {number} col
 * @param {Placed[]} blocks Those of them that have pixels.
 * @param {[number, number]} offset Pixels of the finer level, down and to the right, at which `level` begins on it.
 * @returns {import('./types').Reference}
 */
export function referenceOf(level, finer, row, col, blocks, [down, right]) {
  const rows = halfSpan(row, level.block, level.height, down);
  const columns = halfSpan(col, level.block, level.width, right);
  let { data, bands, height, width } = assemble(finer, rows, columns, blocks);
  if (down) data = between(data, bands, height--, width);
  if (right) data = between(data, bands * height, width--, 1);
  return { data, bands, height, width };
}

/**
 * The mean of each line and the next, of what is known.
 *
 * @param {Float32Array} data `count` times `length` lines of `line` pixels.
 * @param {number} count
 * @param {number} length
 * @param {number} line
 */
function between(data, count, length, line) {
  const means = new Float32Array(count * (length - 1) * line);
  for (let start = 0; start < count; start++) {
    const [from, to] = [start * length * line, start * (length - 1) * line];
    for (let i = 0; i < (length - 1) * line; i++) {
      const [a, b] = [data[from + i], data[from + line + i]];
      means[to + i] = Number.isNaN(a) ? b : Number.isNaN(b) ? a : 0.5 * a + 0.5 * b;
    }
  }
  return means;
}

/**
 * Lay finer blocks out at half size.
 *
 * @param {Level} finer
 * @param {[number, number]} rows First row at half size, and the one behind the last.
 * @param {[number, number]} columns
 * @param {Placed[]} blocks
 */
function assemble(finer, [firstRow, endRow], [firstColumn, endColumn], blocks) {
  const { bands } = finer;
  const [height, width] = [endRow - firstRow, endColumn - firstColumn];
  const data = new Float32Array(bands * height * width).fill(NaN);
  for (const { row: r, col: c, block } of blocks) {
    const size = [bands, ...[sideOf(r, finer.block, finer.height), sideOf(c, finer.block, finer.width)].map(half)];
    const found = [block.bands, block.height, block.width];
    if (found.join() !== size.join()) {
      throw new PayloadError(`block (${r}, ${c}) of the finer level has ${found.join('×')} pixels at half size, not ${size.join('×')}`);
    }
    const [top, left] = [half(r * finer.block) - firstRow, half(c * finer.block) - firstColumn];
    const floats = block.data instanceof Float32Array;
    for (let band = 0; band < bands; band++) {
      for (let y = Math.max(0, -top); y < Math.min(block.height, height - top); y++) {
        const from = (band * block.height + y) * block.width;
        const to = (band * height + top + y) * width + left;
        for (let x = Math.max(0, -left); x < Math.min(block.width, width - left); x++) {
          const value = block.data[from + x];
          if (floats || (value !== 0 && value !== SATURATED)) data[to + x] = value;
        }
      }
    }
  }
  return { data, bands, height, width };
}

/** @param {Level} level @param {Level} finer @param {number} row @param {number} col @param {[number, number]} offset */
function checkLevels(level, finer, row, col, [down, right]) {
  const sides = [level, finer].flatMap(({ bands, height, width, block }) => [bands, height, width, block]);
  if (!sides.every((side) => Number.isSafeInteger(side) && side > 0) || finer.block % 2) {
    throw new RangeError('bands, height, width and block of a level are whole numbers above 0, and blocks have even sides');
  }
  if (![down, right].every((pixels) => [-1, 0, 1].includes(pixels))) {
    throw new RangeError(`a level begins −1, 0 or 1 pixels from the finer one's corner, not ${down} and ${right}`);
  }
  const apart = [down + 2 * level.height - finer.height, right + 2 * level.width - finer.width];
  if (apart.some((pixels) => Math.abs(pixels) > 2)) {
    throw new RangeError(
      `a level of ${level.height}×${level.width} pixels is not predicted from one of ${finer.height}×${finer.width}`,
    );
  }
  const inside = [[row, level.height], [col, level.width]].every(([at, length]) => {
    return Number.isSafeInteger(at) && at >= 0 && at * level.block < length;
  });
  if (!inside) throw new RangeError(`the level has no block (${row}, ${col})`);
}

/**
 * First pixel of the finer level at half size that a block takes along one axis, and the one behind the last.
 *
 * @param {number} at
 * @param {number} side
 * @param {number} length
 * @param {number} offset
 * @returns {[number, number]}
 */
function halfSpan(at, side, length, offset) {
  const start = at * side;
  return [start + Math.min(offset, 0), start + sideOf(at, side, length) + Math.max(offset, 0)];
}

/**
 * Numbers of the finer blocks along one axis that hold pixels at half size.
 *
 * @param {[number, number]} span
 * @param {number} side
 * @param {number} length
 */
function numbers([start, end], side, length) {
  const first = Math.floor(Math.max(start, 0) / half(side));
  const stop = Math.ceil(Math.min(end, half(length)) / half(side));
  return Array.from({ length: Math.max(0, stop - first) }, (_, i) => first + i);
}

/** @param {number} at @param {number} side @param {number} length */
function sideOf(at, side, length) {
  return Math.min(side, length - at * side);
}

/** @param {number} length */
function half(length) {
  return Math.ceil(length / 2);
}
