// Backscatter in decibels: the correction of its mean power, and reductions, which average power.

const BYTES = 6; // a band
const FARTHEST = 300; // dB: what is beyond counts as that, as in the library

/**
 * Add the plane between a block's four corners, and a gain of what is above a level, in place; each step is rounded to
 * float32, as in the library.
 *
 * @param {import('./types').Block} block At full size.
 * @param {Uint8Array} correction Of each band upper left, upper right, lower left, lower right corner; level; gain.
 */
export function correct({ data, bands, height, width }, correction) {
  const { fround } = Math;
  const across = Float32Array.from({ length: width }, (_, x) => (x + 0.5) / width);
  for (let band = 0, i = 0; band < bands; band++) {
    const codes = correction.subarray(BYTES * band, BYTES * (band + 1));
    const [upperLeft, upperRight, lowerLeft, lowerRight] = Float32Array.from(codes, (code) => (code - 50) / 100);
    const [level, gain] = [(codes[4] - 128) / 2, (codes[5] - 64) / 256];
    for (let y = 0; y < height; y++) {
      const down = fround((y + 0.5) / height);
      const left = fround(upperLeft + fround(fround(lowerLeft - upperLeft) * down));
      const right = fround(upperRight + fround(fround(lowerRight - upperRight) * down));
      const slope = fround(right - left);
      for (let x = 0; x < width; x++, i++) {
        const above = fround(Math.max(fround(data[i] - level), 0) * gain);
        data[i] = fround(data[i] + fround(fround(left + fround(slope * across[x])) + above));
      }
    }
  }
}

/**
 * The mean power of each 2^reduce × 2^reduce pixels that are no NaN, in decibels; NaN where there is none.
 *
 * @param {import('./types').Block} block
 * @param {number} reduce
 * @returns {import('./types').Block}
 */
export function reducePower({ data, bands, height, width }, reduce) {
  const [rows, columns] = [height, width].map((side) => Math.ceil(side / 2 ** reduce));
  const sums = new Float64Array(bands * rows * columns);
  const counts = new Uint8Array(sums.length);
  for (let band = 0, i = 0; band < bands; band++) {
    for (let y = 0; y < height; y++) {
      const start = (band * rows + (y >> reduce)) * columns;
      for (let x = 0; x < width; x++, i++) {
        if (Number.isNaN(data[i])) continue;
        sums[start + (x >> reduce)] += 10 ** (Math.min(Math.max(data[i], -FARTHEST), FARTHEST) / 10);
        counts[start + (x >> reduce)]++;
      }
    }
  }
  const means = Float32Array.from(sums, (sum, i) => (counts[i] ? 10 * Math.log10(sum / counts[i]) : NaN));
  return { data: means, bands, height: rows, width: columns };
}
