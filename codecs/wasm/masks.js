// Lossless masks, put back over decoded pixels.

const SATURATED = 65535;

/**
 * @param {import('./types').Block} block Decoded at 1/2^reduce of the size; changed in place.
 * @param {import('./payload.js').Payload} payload
 * @param {number} reduce
 */
export function applyMasks(block, payload, reduce) {
  const { valid, saturated, height, width } = payload;
  const plane = block.height * block.width;
  if (saturated && !payload.floats) {
    const bits = reduceMask(saturated, height, width, reduce);
    for (let i = 0; i < bits.length; i++) if (bits[i]) block.data[i] = SATURATED;
  }
  if (valid) {
    const bits = reduceMask(valid, height, width, reduce);
    const invalid = payload.floats ? NaN : 0;
    for (let i = 0; i < block.data.length; i++) if (!bits[valid.planes === 1 ? i % plane : i]) block.data[i] = invalid;
  }
}

/**
 * Shrink a mask: set where at least half of the covered pixels are, of which there are fewer at the far edges.
 *
 * @param {import('./payload.js').Mask} mask
 * @param {number} height
 * @param {number} width
 * @param {number} reduce
 */
function reduceMask(mask, height, width, reduce) {
  if (!reduce) return mask.bits;
  const side = 1 << reduce;
  const [rows, columns] = [Math.ceil(height / side), Math.ceil(width / side)];
  const counts = new Uint8Array(mask.planes * rows * columns);
  for (let p = 0, i = 0; p < mask.planes; p++) {
    for (let y = 0; y < height; y++) {
      const start = (p * rows + (y >> reduce)) * columns;
      for (let x = 0; x < width; x++) counts[start + (x >> reduce)] += mask.bits[i++];
    }
  }
  return counts.map((count, i) => {
    const [row, column] = [Math.floor(i / columns) % rows, i % columns];
    const covered = Math.min(side, height - row * side) * Math.min(side, width - column * side);
    return 2 * count >= covered ? 1 : 0;
  });
}
