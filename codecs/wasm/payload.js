// A payload taken apart, trusting nothing in it: header, lossless masks, and the body of the codec.

export class PayloadError extends Error {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = 'PayloadError';
  }
}

const VERSION = 1;
const LEARNED = 3;
const HEADER_BYTES = 12;
const MAX_BANDS = 64;
const MAX_SIDE = 1024;
const MAX_SAMPLES = 1 << 22;

const FLOAT32 = 1;
const NODATA_DOMAIN = 2;
const HAS_INVALID = 4;
const HAS_SATURATED = 8;
const PER_BAND_MASK = 16;
const PREDICTED = 32;
const WEIGHTED = 64;
const MORE_FLAGS = 128;
const WEIGHT_UNIT = 16;
const CORRECTED = 2; // of the further flags, the only one of this codec
const CORRECTION_BYTES = 6; // a band

/**
 * @typedef {object} Mask
 * @property {Uint8Array} bits 1 where it is set: planes, rows, columns.
 * @property {number} planes One for all bands, or one a band.
 *
 * @typedef {object} Payload
 * @property {number} bands
 * @property {number} height
 * @property {number} width
 * @property {number} step
 * @property {boolean} floats Whether values are float32, else uint16.
 * @property {boolean} nodata Whether 0 is kept for invalid pixels.
 * @property {boolean} predicted Whether the body starts with a prediction.
 * @property {Uint8Array | null} correction Six bytes a band, where values are decibels that are corrected.
 * @property {Mask | null} valid Null: all pixels are.
 * @property {Mask | null} saturated Null: none is.
 * @property {Float32Array | null} weights That bands were multiplied by.
 * @property {Uint8Array} body Empty where the masks say all.
 */

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Payload>}
 */
export async function parsePayload(bytes) {
  if (bytes.length < HEADER_BYTES) throw new PayloadError(`the payload is cut short at ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [version, codec, flags, bands] = bytes;
  const height = view.getUint16(4, true);
  const width = view.getUint16(6, true);
  const step = view.getFloat32(8, true);
  if (version !== VERSION) throw new PayloadError(`the payload is of version ${version}; this decoder reads version ${VERSION}`);
  if (codec !== LEARNED) throw new PayloadError(`the payload is of codec number ${codec}; this decoder reads number ${LEARNED}, learned`);
  if (flags & MORE_FLAGS) checkFurtherFlags(flags, bytes.subarray(HEADER_BYTES));
  checkShape(bands, height, width);
  if (!(step >= 1e-6 && step <= 1e6)) throw new PayloadError(`the step must be a number between 1e-6 and 1e6, not ${step}`);

  let rest = bytes.subarray(HEADER_BYTES);
  /** @type {Uint8Array | null} */
  let correction = null;
  if (flags & MORE_FLAGS) [correction, rest] = takeCorrection(rest, bands, Boolean(flags & FLOAT32));
  /** @type {Mask | null} */
  let valid = null;
  /** @type {Mask | null} */
  let saturated = null;
  if (flags & HAS_INVALID) [valid, rest] = await takeMask(rest, flags & PER_BAND_MASK ? bands : 1, height, width);
  if (flags & HAS_SATURATED) [saturated, rest] = await takeMask(rest, bands, height, width);
  const predicted = Boolean(flags & PREDICTED);
  if (!rest.length && (predicted || anyUsable(valid, saturated))) {
    throw new PayloadError('the payload is cut short before its pixels');
  }
  /** @type {Float32Array | null} */
  let weights = null;
  if (flags & WEIGHTED && rest.length) [weights, rest] = takeWeights(rest, bands);
  return {
    bands, height, width, step, predicted, correction, valid, saturated, weights,
    floats: Boolean(flags & FLOAT32), nodata: Boolean(flags & NODATA_DOMAIN), body: rest,
  };
}

/**
 * Whether a payload is predicted from a finer group; of a damaged one true or false.
 *
 * @param {Uint8Array} bytes
 */
export function isPredicted(bytes) {
  return Boolean(bytes[2] & PREDICTED);
}

/**
 * The weights of bands, and what follows them, which is never nothing.
 *
 * @param {Uint8Array} bytes
 * @param {number} bands
 * @returns {[Float32Array, Uint8Array]}
 */
function takeWeights(bytes, bands) {
  const whole = bytes.subarray(0, bands);
  if (bytes.length <= bands || whole.includes(0)) throw new PayloadError("the payload's weights of bands are damaged");
  return [Float32Array.from(whole, (weight) => weight / WEIGHT_UNIT), bytes.subarray(bands)];
}

/**
 * Refuse a payload whose byte of further flags says anything but that it has a correction.
 *
 * @param {number} flags
 * @param {Uint8Array} bytes What follows the header.
 */
function checkFurtherFlags(flags, bytes) {
  if (!bytes.length) throw new PayloadError('the payload is cut short before its further flags');
  if (bytes[0] === CORRECTED) return;
  const found = [flags, bytes[0]].map((byte) => `0x${byte.toString(16)}`);
  throw new PayloadError(`the payload has unknown flags ${found.join(', ')}`);
}

/**
 * The correction of decibels, and what follows it; before it stands the byte of further flags.
 *
 * @param {Uint8Array} bytes
 * @param {number} bands
 * @param {boolean} floats
 * @returns {[Uint8Array, Uint8Array]}
 */
function takeCorrection(bytes, bands, floats) {
  const end = 1 + CORRECTION_BYTES * bands;
  if (!floats) throw new PayloadError('the payload holds integers, and corrects them as if they were decibels');
  if (bytes.length < end) throw new PayloadError('the payload is cut short inside its correction');
  return [bytes.subarray(1, end), bytes.subarray(end)];
}

/** @param {number} bands @param {number} height @param {number} width */
function checkShape(bands, height, width) {
  if (!(bands >= 1 && bands <= MAX_BANDS)) throw new PayloadError(`a block has 1 to ${MAX_BANDS} bands, not ${bands}`);
  if (!(height >= 1 && height <= MAX_SIDE && width >= 1 && width <= MAX_SIDE)) {
    throw new PayloadError(`a block's sides are 1 to ${MAX_SIDE} pixels, not ${height}×${width}`);
  }
  if (bands * height * width > MAX_SAMPLES) {
    throw new PayloadError(`a block has at most ${MAX_SAMPLES} samples, not ${bands}×${height}×${width}`);
  }
}

/**
 * Whether any pixel's value is up to the codec rather than to the masks.
 *
 * @param {Mask | null} valid
 * @param {Mask | null} saturated
 */
function anyUsable(valid, saturated) {
  if (!saturated) return !valid || valid.bits.includes(1);
  const plane = valid ? valid.bits.length / valid.planes : 0;
  return saturated.bits.some((set, i) => !set && (!valid || valid.bits[valid.planes === 1 ? i % plane : i] === 1));
}

/**
 * @param {Uint8Array} bytes
 * @param {number} planes
 * @param {number} height
 * @param {number} width
 * @returns {Promise<[Mask, Uint8Array]>} The mask and what follows it.
 */
async function takeMask(bytes, planes, height, width) {
  const [length, start] = takeLength(bytes);
  if (length > bytes.length - start) throw new PayloadError('the payload is cut short inside its mask');
  const rowBytes = Math.ceil(width / 8);
  const packed = await inflate(bytes.subarray(start, start + length), planes * height * rowBytes);
  const bits = new Uint8Array(planes * height * width);
  for (let row = 0, target = 0; row < planes * height; row++) {
    const own = row * rowBytes;
    if (row % height) for (let i = own; i < own + rowBytes; i++) packed[i] ^= packed[i - rowBytes];
    for (let x = 0; x < width; x++) bits[target++] = (packed[own + (x >> 3)] >> (7 - (x & 7))) & 1;
  }
  return [{ bits, planes }, bytes.subarray(start + length)];
}

/**
 * A LEB128 number, and where what follows it starts.
 *
 * @param {Uint8Array} bytes
 * @returns {[number, number]}
 */
function takeLength(bytes) {
  let value = 0;
  for (let i = 0; i < Math.min(5, bytes.length); i++) {
    value += (bytes[i] & 0x7f) * 2 ** (7 * i);
    if (bytes[i] < 0x80) return [value, i + 1];
  }
  throw new PayloadError('the payload is cut short inside a number');
}

/**
 * Inflate a raw DEFLATE stream that must give `expected` bytes and end with the last of its own.
 *
 * @param {Uint8Array} bytes
 * @param {number} expected
 */
async function inflate(bytes, expected) {
  const found = await inflated(bytes, expected);
  // one that ends before its last byte is whole without it
  if ((await lenient) && (await works(inflated(bytes.subarray(0, -1), expected)))) {
    throw new PayloadError("the payload's mask has the wrong size");
  }
  return found;
}

/** Whether this platform takes no notice of bytes behind the end of a stream, as Node.js 20 and 22. */
const lenient = works(inflated(Uint8Array.of(3, 0, 0), 0));

/** @param {Promise<unknown>} work */
function works(work) {
  return work.then(() => true, () => false);
}

/**
 * Inflate, leaving off where more than `expected` bytes come out.
 *
 * @param {Uint8Array} bytes
 * @param {number} expected
 */
async function inflated(bytes, expected) {
  const stream = new DecompressionStream('deflate-raw');
  const writer = stream.writable.getWriter();
  // a damaged stream fails on both sides; the reader's failure is the one that is told
  writer.write(/** @type {BufferSource} */ (bytes)).catch(() => {});
  writer.close().catch(() => {});
  const found = new Uint8Array(expected);
  const reader = stream.readable.getReader();
  let count = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new PayloadError("the payload's mask is damaged", { cause });
    });
    if (done) break;
    if (count + value.length > expected) {
      await reader.cancel().catch(() => {});
      throw new PayloadError("the payload's mask has the wrong size");
    }
    found.set(value, count);
    count += value.length;
  }
  if (count !== expected) throw new PayloadError("the payload's mask has the wrong size");
  return found;
}
