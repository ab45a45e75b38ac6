// The compiled decoder in WebAssembly, for whole payloads. types.d.ts says what is for users.

import { correct, reducePower } from './decibel.js';
import { Engine } from './engine.js';
import { applyMasks } from './masks.js';
import { PayloadError, isPredicted, parsePayload } from './payload.js';
import { addPrediction, takePrediction } from './prediction.js';
import { REFERENCE_REDUCE, finerBlocks, referenceOf } from './reference.js';

export { PayloadError };

/**
 * @param {import('./types').DecoderOptions} options
 * @returns {Promise<import('./types').Decoder>}
 */
export async function loadDecoder({ models, wasm = new URL('./decoder.wasm', import.meta.url) }) {
  const sources = /** @type {import('./types').Source[]} */ (Array.isArray(models) ? models : [models]);
  const [module, ...blobs] = await Promise.all([wasm, ...sources].map(bytesOf));
  return new Decoder(new Engine(await WebAssembly.compile(/** @type {BufferSource} */ (module)), blobs));
}

class Decoder {
  #engine;

  /** @param {Engine} engine */
  constructor(engine) {
    this.#engine = engine;
  }

  /**
   * @param {Uint8Array | ArrayBuffer} payload
   * @param {import('./types').DecodeOptions} [options]
   * @returns {Promise<import('./types').Block>}
   */
  async decode(payload, { reduce = 0, reference } = {}) {
    if (![0, 1, 2, 3].includes(reduce)) throw new RangeError(`blocks decode at reductions 0 to 3, not ${reduce}`);
    const parsed = await parsePayload(asBytes(payload));
    const whole = parsed.correction ? 0 : reduce; // of decibels, power is averaged behind their correction
    const block = this.#block(parsed, whole, reference);
    if (parsed.correction) correct(block, parsed.correction);
    applyMasks(block, parsed, whole);
    if (whole === reduce) return block;
    const reduced = reducePower(block, reduce);
    applyMasks(reduced, parsed, reduce);
    return reduced;
  }

  /**
   * A block without masks and correction.
   *
   * @param {import('./payload.js').Payload} parsed
   * @param {number} reduce
   * @param {import('./types').Reference} [reference]
   * @returns {import('./types').Block}
   */
  #block(parsed, reduce, reference) {
    const { bands, floats, body } = parsed;
    const height = Math.ceil(parsed.height / 2 ** reduce);
    const width = Math.ceil(parsed.width / 2 ** reduce);
    /** @type {Uint16Array | Float32Array} */
    let data;
    if (!body.length) {
      data = floats ? new Float32Array(bands * height * width) : new Uint16Array(bands * height * width);
      if (!floats && parsed.nodata) data.fill(1);
    } else if (parsed.predicted || parsed.weights) {
      const values = this.#restored(parsed, reduce, reference);
      data = floats ? values : rounded(values, parsed.nodata ? 1 : 0);
    } else {
      data = this.#engine.decode(parsed, body, reduce, floats);
    }
    return { data, bands, height, width };
  }

  /** @param {Uint8Array | ArrayBuffer} payload */
  isPredicted(payload) {
    return isPredicted(asBytes(payload));
  }

  /**
   * @param {import('./types').ReferenceOptions} options
   * @returns {Promise<import('./types').Reference>}
   */
  async reference({ level, finer, row, col, offset = [0, 0], payload }) {
    const under = finerBlocks(level, finer, row, col, offset).map(async ([r, c]) => {
      const bytes = await payload(r, c);
      if (!bytes) return [];
      return [{ row: r, col: c, block: await this.decode(bytes, { reduce: REFERENCE_REDUCE }) }];
    });
    return referenceOf(level, finer, row, col, (await Promise.all(under)).flat(), offset);
  }

  /**
   * Bands before they are rounded: what is coded and what is predicted, without weights.
   *
   * @param {import('./payload.js').Payload} parsed
   * @param {number} reduce
   * @param {import('./types').Reference} [reference]
   */
  #restored(parsed, reduce, reference) {
    const { bands, predicted, weights } = parsed;
    if (predicted && !reference) {
      throw new PayloadError('the payload is predicted from a finer group, which has to be decoded first');
    }
    const prediction = predicted && reference ? takePrediction(parsed, reference) : null;
    const body = prediction?.body ?? parsed.body;
    const values = /** @type {Float32Array} */ (this.#engine.decode(parsed, body, reduce, true));
    if (prediction && reference) addPrediction(values, prediction.weights, reference, bands, reduce);
    const plane = values.length / bands;
    if (weights) for (let i = 0; i < values.length; i++) values[i] /= weights[Math.floor(i / plane)];
    return values;
  }
}

/**
 * Whole numbers within bounds, halves to the even one.
 *
 * @param {Float32Array} values
 * @param {number} lowest
 */
function rounded(values, lowest) {
  const whole = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const below = Math.floor(values[i]);
    const over = values[i] - below;
    const nearest = over > 0.5 || (over === 0.5 && below % 2 !== 0) ? below + 1 : below;
    whole[i] = Math.min(Math.max(nearest, lowest), 65534);
  }
  return whole;
}

/** @param {Uint8Array | ArrayBuffer} bytes */
function asBytes(bytes) {
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  if (bytes instanceof Uint8Array) return bytes;
  throw new TypeError('a payload is a Uint8Array or an ArrayBuffer');
}

/**
 * @param {import('./types').Source} source
 * @returns {Promise<Uint8Array>}
 */
async function bytesOf(source) {
  if (typeof source !== 'string' && !(source instanceof URL)) return asBytes(source);
  const address = String(source);
  if (address.startsWith('file:')) {
    const files = 'node:fs/promises'; // Node.js fetches no files; bundlers for browsers need not know of it
    const { readFile } = await import(files);
    return readFile(new URL(address));
  }
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} cannot be fetched: ${answer.status} ${answer.statusText}`.trim());
  return new Uint8Array(await answer.arrayBuffer());
}
