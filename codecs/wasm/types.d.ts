/** Decodes blocks of COMEO archives, codec `learned`: docs/archive-format.md. */

/** Where bytes come from: an address (also of a file, in Node.js) or the bytes themselves. */
export type Source = string | URL | ArrayBuffer | Uint8Array;

export interface DecoderOptions {
  /** Models, as `sentinel2-1.bin`. A payload names the one that it was made with. */
  models: Source | readonly Source[];
  /** The WebAssembly module; by default `decoder.wasm` beside this file. */
  wasm?: Source;
}

export interface DecodeOptions {
  /** Decode at 1/2^reduce of the size: each pixel stands for the mean of 2^reduce × 2^reduce. 0 by default. */
  reduce?: 0 | 1 | 2 | 3;
  /** What a predicted block is predicted from; other blocks take no notice of it. */
  reference?: Reference;
}

/** The same ground in the bands of a finer group, as decoded, brought to the block's full size. */
export interface Reference {
  /** NaN where a pixel is invalid. */
  data: Float32Array;
  bands: number;
  height: number;
  width: number;
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
  decode(payload: Uint8Array | ArrayBuffer, options?: DecodeOptions): Promise<Block>;
}

/** Make a decoder: fetch the module and the models, once. */
export function loadDecoder(options: DecoderOptions): Promise<Decoder>;
