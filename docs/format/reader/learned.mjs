// The head of a `learned` body: what can be read of it without a model's networks.

import { check } from './bytes.mjs';

const PASSES = 24;
const OFFSETS = [-3, -2, -1, 0, 1, 2, 3];
const FREQUENCIES = [1, 2, 4, 18, 4, 2, 1].map((share) => share * 2 ** 11);
const LOWEST = 2 ** 26, TOP = 2 ** 34, WHOLE = 2 ** 16;

// Range asymmetric numeral systems, decoding.
export class Rans {
  constructor(bytes) {
    check(bytes.length >= 5, 'the entropy coded part is cut short');
    this.bytes = bytes;
    this.at = 5;
    this.state = bytes.subarray(0, 5).reduce((state, byte) => state * 256 + byte, 0);
    check(this.state >= LOWEST && this.state < TOP, 'the first state is damaged');
  }

  // The number of the interval that the state lies in.
  symbol(frequencies) {
    const place = this.state % WHOLE;
    let start = 0;
    let symbol = 0;
    while (start + frequencies[symbol] <= place) start += frequencies[symbol++];
    this.state = frequencies[symbol] * Math.floor(this.state / WHOLE) + place - start;
    while (this.state < LOWEST) this.state = this.state * 256 + (this.bytes[this.at++] ?? 0);
    return symbol;
  }
}

// Tag of the model (hexadecimal), energy classes, whether the block is coded thoroughly, offsets of all passes.
export function learnedHead(body, bands) {
  check(body.length >= 2 + bands, 'the body is cut short');
  const energy = [...body.subarray(2, 2 + bands)];
  const thorough = energy[0] >= 128;
  energy[0] %= 128;
  check(energy.every((one) => one < 128), 'an energy class is unknown');
  const rans = new Rans(body.subarray(2 + bands));
  const offsets = Array.from({ length: PASSES }, () => OFFSETS[rans.symbol(FREQUENCIES)]);
  return { model: body.subarray(0, 2).toString('hex'), thorough, energy, offsets };
}
