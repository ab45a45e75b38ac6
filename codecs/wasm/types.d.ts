/** Decodes blocks of COMEO archives, codec `learned`: docs/format. */

/** Where bytes come from: an address (also of a file, in Node.js) or the bytes themselves. */
export type Source = string | URL | ArrayBuffer | Uint8Array;

export type Bytes = Uint8Array | ArrayBuffer;

export interface DecoderOptions {
  /** Models, as `sentinel2-2.bin`. A payload names the one that it was made with. */
  models: Source | readonly Source[];
  /** The WebAssembly module; by default `decoder.wasm` beside this file. */
  wasm?: Source;
}

export interface DecodeOptions {
  /** Decode at 1/2^reduce of the size: each pixel stands for the mean of 2^reduce × 2^reduce (of corrected decibels: of their power). 0 by default. */
  reduce?: 0 | 1 | 2 | 3;
  /** What a predicted block is predicted from; other blocks take no notice of it. */
  reference?: Reference;
}

/** The same ground in the bands of a finer group, brought to the block's size: what `Decoder.reference` makes. */
export interface Reference {
  /** NaN where a pixel is invalid. */
  data: Float32Array;
  bands: number;
  height: number;
  width: number;
}

/** A level of a group, as the metadata of its array have it. */
export interface Level {
  /** `shape`. */
  bands: number;
  height: number;
  width: number;
  /** Side of its blocks: `chunk_shape` of `sharding_indexed`. */
  block: number;
}

export interface ReferenceOptions {
  /** The level of the predicted block. */
  level: Level;
  /** The level that it is predicted from: `reference` in the configuration of its codec is the key of its array. */
  finer: Level;
  /** Row of the block in the level's grid of blocks. */
  row: number;
  col: number;
  /**
   * Where `level` begins on `finer`, by the transforms of both: pixels of `finer` down and to the right of its top left corner,
   * -1, 0 or 1 each, rounded. [0, 0] by default.
   */
  offset?: [number, number];
  /** Gives the payload of a block of the finer level, or null where it has none; called for each that is needed, at once. */
  payload: (row: number, col: number) => Bytes | null | Promise<Bytes | null>;
}

export interface Block {
  /**
   * Pixels, band by band and row by row. Invalid ones are 0 (NaN in floats) where the block has a mask, saturated
   * ones 65535.
   */
  data: Uint16Array | Float32Array;
  bands: number;
  height: number;
  width: number;
}

/** A payload that cannot be decoded; the message is a sentence that says why. */
export class PayloadError extends Error {}

export interface Decoder {
  /**
   * Decode the payload of one block, without the checksum that follows it in an archive.
   *
   * @throws PayloadError if it is damaged, of another codec, of a model that was not given, or predicted and has no reference.
   */
  decode(payload: Bytes, options?: DecodeOptions): Promise<Block>;

  /** Whether a payload is predicted, so that decoding takes a reference. Of a damaged one true or false. */
  isPredicted(payload: Bytes): boolean;

  /**
   * Make the reference of a predicted block: decode the blocks of the finer level that show its ground.
   *
   * @throws PayloadError if one of them is damaged or has another size.
   * @throws RangeError if there is no such block, or the finer level's pixels are not half as large.
   */
  reference(options: ReferenceOptions): Promise<Reference>;
}

/** Make a decoder: fetch the module and the models, once. */
export function loadDecoder(options: DecoderOptions): Promise<Decoder>;
