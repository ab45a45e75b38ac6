// Smooth filling of invalid pixels (NaN): push-pull, as comeo.codecs.fill has it, in float32.

/**
 * @param {Float32Array} plane Rows, columns.
 * @param {number} height
 * @param {number} width
 * @returns {Float32Array} Without NaN; zero where there is nothing else.
 */
export function fillInvalid(plane, height, width) {
  const known = plane.map((value) => (Number.isNaN(value) ? 0 : 1));
  return fill(plane.map((value) => (Number.isNaN(value) ? 0 : value)), known, height, width);
}

/**
 * @param {Float32Array} values Zero where not known.
 * @param {Float32Array} known 1 or 0.
 * @param {number} height
 * @param {number} width
 * @returns {Float32Array}
 */
function fill(values, known, height, width) {
  if ((height === 1 && width === 1) || !known.includes(0)) return values;
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const counts = sum2x2(known, height, width);
  const coarse = sum2x2(values, height, width).map((sum, i) => (counts[i] ? sum / counts[i] : 0));
  const filled = fill(coarse, counts.map((count) => Math.min(count, 1)), rows, columns);
  const doubled = doubleAcross(doubleDown(filled, rows, columns), 2 * rows, columns);
  return values.map((value, i) => {
    return known[i] ? value : doubled[Math.floor(i / width) * 2 * columns + (i % width)];
  });
}

/**
 * @param {Float32Array} values
 * @param {number} height
 * @param {number} width
 */
function sum2x2(values, height, width) {
  const columns = Math.ceil(width / 2);
  const at = (/** @type {number} */ y, /** @type {number} */ x) => (y < height && x < width ? values[y * width + x] : 0);
  return new Float32Array(Math.ceil(height / 2) * columns).map((_, i) => {
    const [y, x] = [2 * Math.floor(i / columns), 2 * (i % columns)];
    return Math.fround(at(y, x) + at(y + 1, x)) + Math.fround(at(y, x + 1) + at(y + 1, x + 1));
  });
}

/**
 * Bilinear doubling with pixel centres where an average of two has them.
 *
 * @param {Float32Array} values
 * @param {number} height
 * @param {number} width
 */
function doubleDown(values, height, width) {
  return new Float32Array(2 * values.length).map((_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    const own = y >> 1;
    const beside = y & 1 ? Math.min(own + 1, height - 1) : Math.max(own - 1, 0);
    return between(values[own * width + x], values[beside * width + x]);
  });
}

/**
 * @param {Float32Array} values
 * @param {number} height
 * @param {number} width
 */
function doubleAcross(values, height, width) {
  return new Float32Array(2 * height * width).map((_, i) => {
    const [y, x] = [Math.floor(i / (2 * width)), i % (2 * width)];
    const own = x >> 1;
    const beside = x & 1 ? Math.min(own + 1, width - 1) : Math.max(own - 1, 0);
    return between(values[y * width + own], values[y * width + beside]);
  });
}

/** @param {number} near @param {number} far */
function between(near, far) {
  return Math.fround(0.75 * near) + Math.fround(0.25 * far);
}
