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
 * The blocks of a finer level that lie under a block: rows and columns.
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
  const rows = span(row, level.block, level.height, finer.block, finer.height);
  const columns = span(col, level.block, level.width, finer.block, finer.width);
  return rows.flatMap((r) => columns.map((c) => /** @type {[number, number]} */ ([r, c])));
}

/**
 * Make the reference of a block of the finer blocks under it.
 *
 * @param {Level} level
 * @param {Level} finer
 * @param {number} row
 * @param {number} col
 * @param {Placed[]} blocks Those under it that have pixels.
 * @param {[number, number]} offset Pixels of the finer level, down and to the right, at which `level` begins on it.
 * @returns {import('./types').Reference}
 */
export function referenceOf(level, finer, row, col, blocks, [down, right]) {
  const laid = assemble(level, finer, row, col, blocks);
  const { data, bands, height, width } = laid;
  move(data, down, bands, height, width);
  move(data, right, bands * height, width, 1);
  return laid;
}

/**
 * Replace each pixel by the mean of it and its neighbour before (offset -1) or behind (1) it, of those that are known.
 *
 * @param {Float32Array} data `count` times `length` lines of `line` pixels.
 * @param {number} offset
 * @param {number} count
 * @param {number} length
 * @param {number} line
 */
function move(data, offset, count, length, line) {
  if (!offset) return;
  const whole = data.slice();
  for (let start = 0; start < count; start++) {
    for (let at = 0; at < length; at++) {
      const beside = at + offset;
      if (beside < 0 || beside >= length) continue;
      const [here, there] = [(start * length + at) * line, (start * length + beside) * line];
      for (let i = 0; i < line; i++) {
        const [a, b] = [whole[here + i], whole[there + i]];
        data[here + i] = Number.isNaN(a) ? b : Number.isNaN(b) ? a : 0.5 * a + 0.5 * b;
      }
    }
  }
}

/**
 * Lay finer blocks out on the ground of a block.
 *
 * @param {Level} level
 * @param {Level} finer
 * @param {number} row
 * @param {number} col
 * @param {Placed[]} blocks Those under it that have pixels.
 * @returns {import('./types').Reference}
 */
function assemble(level, finer, row, col, blocks) {
  const { bands } = finer;
  const [height, width] = [sideOf(row, level.block, level.height), sideOf(col, level.block, level.width)];
  const data = new Float32Array(bands * height * width).fill(NaN);
  for (const { row: r, col: c, block } of blocks) {
    const size = [bands, ...[sideOf(r, finer.block, finer.height), sideOf(c, finer.block, finer.width)].map(half)];
    const found = [block.bands, block.height, block.width];
    if (found.join() !== size.join()) {
      throw new PayloadError(`block (${r}, ${c}) of the finer level has ${found.join('×')} pixels at half size, not ${size.join('×')}`);
    }
    const [top, left] = [half(r * finer.block) - row * level.block, half(c * finer.block) - col * level.block];
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
 * Numbers of the finer blocks along one axis.
 *
 * @param {number} at
 * @param {number} side
 * @param {number} length
 * @param {number} finerSide
 * @param {number} finerLength
 */
function span(at, side, length, finerSide, finerLength) {
  const start = 2 * at * side;
  const stop = Math.min(start + 2 * sideOf(at, side, length), finerLength);
  const first = Math.floor(start / finerSide);
  return Array.from({ length: Math.max(0, Math.ceil(stop / finerSide) - first) }, (_, i) => first + i);
}

/** @param {number} at @param {number} side @param {number} length */
function sideOf(at, side, length) {
  return Math.min(side, length - at * side);
}

/** @param {number} length */
function half(length) {
  return Math.ceil(length / 2);
}
