// The compiled decoder: its memory, its models, and one block at a time.

import { PayloadError } from './payload.js';

const TAG_BYTES = 2;
const MAGIC = 'COMEOBIN';
const DIGEST_AT = 16;
const FACTS_AT = 48;
const TILE = 16;
const PLANS = 8; // kept, of shapes met last
const PICTURE_BYTES = 44;

/** What the functions of comeo_native.h say, by status. @type {Record<number, string>} */
const FAILURES = {
  [-1]: 'the payload is cut short',
  [-2]: "the payload's energy classes are damaged",
  [-3]: "the payload's symbols are cut short or damaged",
  [-4]: "the payload's symbols are damaged",
  [-5]: 'there is not enough memory to decode the payload',
};

/**
 * @typedef {{ place: number, components: number, leading: number }} Model
 * @typedef {(...values: number[]) => number} Call
 * @typedef {Record<'malloc' | 'free' | 'comeo_model_new' | 'comeo_model_read' | 'comeo_plan_new'
 *   | 'comeo_plan_free' | 'comeo_context_new' | 'comeo_decode' | 'comeo_inverse', Call> & {
 *   memory: WebAssembly.Memory, _initialize: () => void }} Functions
 */

export class Engine {
  #module;
  #blobs;
  /** @type {Functions} */ #functions;
  /** @type {Map<number, Model>} By the tag that payloads have. */ #models = new Map();
  /** @type {Map<string, number>} Shape to plan, the one used last at the end. */ #plans = new Map();
  #context = 0;

  /**
   * @param {WebAssembly.Module} module
   * @param {Uint8Array[]} blobs Models.
   */
  constructor(module, blobs) {
    this.#module = module;
    this.#blobs = blobs;
    this.#functions = this.#start();
  }

  /**
   * Decode a body from its spectral transform on.
   *
   * @param {import('./payload.js').Payload} payload
   * @param {Uint8Array} body
   * @param {number} reduce
   * @param {boolean} floats Whether the result is float32, else rounded.
   * @returns {Uint16Array | Float32Array} Bands, rows, columns.
   */
  decode(payload, body, reduce, floats) {
    try {
      return this.#decode(payload, body, reduce, floats);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#functions = this.#start(); // what a trap leaves behind is not to be trusted
      throw new PayloadError('the decoder failed at this payload', { cause: error });
    }
  }

  #start() {
    const functions = /** @type {Functions} */ (
      /** @type {unknown} */ (new WebAssembly.Instance(this.#module, {}).exports)
    );
    functions._initialize();
    this.#functions = functions;
    this.#plans.clear();
    this.#context = functions.comeo_context_new(0);
    this.#models = new Map(this.#blobs.map((blob) => [tagOf(blob), this.#loadModel(blob)]));
    return functions;
  }

  /** @param {Uint8Array} blob */
  #loadModel(blob) {
    const place = this.#put(blob);
    const model = this.#functions.comeo_model_new(place, blob.length);
    this.#functions.free(place);
    if (!model) throw new Error('the model is damaged, or of a version that this decoder does not know');
    const facts = new DataView(blob.buffer, blob.byteOffset + FACTS_AT);
    return { place: model, components: facts.getInt32(0, true), leading: facts.getInt32(4, true) };
  }

  /**
   * @param {import('./payload.js').Payload} payload
   * @param {Uint8Array} body
   * @param {number} reduce
   * @param {boolean} floats
   */
  #decode(payload, body, reduce, floats) {
    const { bands } = payload;
    const angles = 2 * bands;
    const start = angles + (bands * (bands - 1)) / 2;
    if (body.length < start + TAG_BYTES) throw new PayloadError('the payload is cut short inside its spectral transform');
    const means = meansOf(body, bands);
    const tag = body[start] * 256 + body[start + 1];
    const model = this.#models.get(tag);
    if (model === undefined) {
      const name = tag.toString(16).padStart(4, '0');
      throw new PayloadError(`the payload was made with a model whose SHA-256 starts with ${name}, which was not given`);
    }
    const functions = this.#functions;
    const [rows, columns] = [payload.height, payload.width].map((side) => Math.ceil(side / TILE));
    const plan = this.#plan(rows, columns, itemsOf(model, bands));
    /** @type {number[]} */
    const places = [];
    const put = (/** @type {Uint8Array} */ bytes) => places[places.push(this.#put(bytes)) - 1];
    try {
      const coded = body.subarray(start + TAG_BYTES);
      const at = put(coded);
      const groups = functions.comeo_model_read(model.place, reduce, bands, rows * columns, at, coded.length);
      this.#check(functions.comeo_decode(this.#context, model.place, plan, at, coded.length, bands, groups));
      const size = bands * Math.ceil(payload.height / 2 ** reduce) * Math.ceil(payload.width / 2 ** reduce);
      const pixels = this.#allocate(size * (floats ? 4 : 2));
      places.push(pixels);
      const picture = new DataView(new ArrayBuffer(PICTURE_BYTES));
      const whole = floats ? 0 : 1;
      const lowest = payload.nodata && whole ? 1 : 0;
      [bands, payload.height, payload.width, reduce, lowest, whole].forEach((word, i) => picture.setInt32(4 * i, word, true));
      picture.setFloat32(24, payload.step, true);
      const pointers = [put(means), put(body.subarray(angles, start)), pixels];
      [groups, ...pointers].forEach((word, i) => picture.setUint32(28 + 4 * i, word, true));
      this.#check(functions.comeo_inverse(this.#context, put(new Uint8Array(picture.buffer))));
      const Pixels = floats ? Float32Array : Uint16Array;
      return new Pixels(functions.memory.buffer, pixels, size).slice();
    } finally {
      places.forEach((place) => functions.free(place));
    }
  }

  /**
   * The plan of a shape, of which the last few are kept.
   *
   * @param {number[]} shape Rows and columns of tiles, items.
   */
  #plan(...shape) {
    const key = shape.join();
    const plan = this.#plans.get(key) ?? this.#functions.comeo_plan_new(...shape);
    if (!plan) throw new PayloadError(FAILURES[-5]);
    this.#plans.delete(key);
    this.#plans.set(key, plan);
    for (const [oldest, unused] of this.#plans) {
      if (this.#plans.size <= PLANS) break;
      this.#plans.delete(oldest);
      this.#functions.comeo_plan_free(unused);
    }
    return plan;
  }

  /** @param {number} status */
  #check(status) {
    if (status === 0) return;
    throw new PayloadError(FAILURES[status] ?? `the decoder refuses the payload (status ${status})`);
  }

  /** @param {number} size */
  #allocate(size) {
    const place = this.#functions.malloc(size || 1);
    if (!place) throw new PayloadError(FAILURES[-5]);
    return place;
  }

  /** @param {Uint8Array} bytes */
  #put(bytes) {
    const place = this.#allocate(bytes.length);
    new Uint8Array(this.#functions.memory.buffer, place, bytes.length).set(bytes);
    return place;
  }
}

/**
 * What payloads call a model by: the start of the SHA-256 of its file.
 *
 * @param {Uint8Array} blob
 */
function tagOf(blob) {
  if (String.fromCharCode(...blob.subarray(0, MAGIC.length)) !== MAGIC || blob.length < FACTS_AT + 8) {
    throw new Error('what was given as a model is none: a model is a file like sentinel2-1.bin');
  }
  return blob[DIGEST_AT] * 256 + blob[DIGEST_AT + 1];
}

/**
 * Items that so many components are coded as: each has the leading ones and its own.
 *
 * @param {Model} model
 * @param {number} bands
 */
function itemsOf({ components, leading }, bands) {
  return Math.max(1, Math.ceil((bands - leading) / (components - leading || 1)));
}

/**
 * Means as float32, from float16 (IEEE 754 binary16), which DataView does not read everywhere.
 *
 * @param {Uint8Array} body
 * @param {number} bands
 */
function meansOf(body, bands) {
  const means = new Float32Array(bands);
  for (let band = 0; band < bands; band++) {
    const bits = body[2 * band] | (body[2 * band + 1] << 8);
    const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
    if (exponent === 31) throw new PayloadError("the payload's spectral transform has a mean that is not a number");
    const magnitude = exponent ? (1024 + mantissa) * 2 ** (exponent - 25) : mantissa * 2 ** -24;
    means[band] = bits & 0x8000 ? -magnitude : magnitude;
  }
  return new Uint8Array(means.buffer);
}
