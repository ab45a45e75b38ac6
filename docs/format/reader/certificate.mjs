// The certificate: errors of level 0, by group, band and block.

import { inflateRawSync } from 'node:zlib';

import { check } from './bytes.mjs';

const CORRELATION = 1, RMSE = 2, MAXIMUM = 4, BIAS = 8;

const figure = (code, step) => (code === 0 ? NaN : code === 1 ? 0 : step * 2 ** ((code - 2) / 1024 - 22));

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(count, size, read) {
    check(this.at + count * size <= this.bytes.length, 'the certificate is cut short');
    const out = Array.from({ length: count }, (_, index) => this.bytes[read](this.at + index * size));
    this.at += count * size;
    return out;
  }
}

function blocks(reader, { bands, rows, cols }, step, detail) {
  const peaks = reader.take(bands, 2, 'readUInt16LE').map((code) => figure(code, step));
  const rmse = [];
  for (let line = 0; line < bands * rows; line++) {
    let code = 0;
    for (const difference of reader.take(cols, 1, 'readUInt8')) {
      code = (code + difference) % 256;
      const worst = peaks[Math.floor(line / rows)] || 0;
      rmse.push(code === 0 ? NaN : code === 1 ? 0 : worst * 2 ** ((code - 255) / 12));
    }
  }
  const out = { rmse };
  if (detail & MAXIMUM) out.maximum = reader.take(rmse.length, 1, 'readUInt8').map((code, at) => rmse[at] * 2 ** (code / 8));
  if (detail & BIAS) out.bias = reader.take(rmse.length, 1, 'readInt8').map((code, at) => (rmse[at] * code) / 64);
  return out;
}

// Of each group, given as { bands, rows, cols }: rmse, maximum, bias, correlation by band; blocks where there are any.
export function decodeCertificate(text, layouts, step) {
  const bytes = Buffer.from(text, 'base64');
  const detail = bytes[0] & 15;
  check(bytes[0] >> 4 === 1 && [15, 7, 3, 1, 0].includes(detail), 'the certificate is of an unknown version');
  const head = new Reader(bytes.subarray(1));
  const groups = layouts.map(({ bands }) => {
    const rmse = head.take(bands, 2, 'readUInt16LE').map((code) => figure(code, step));
    const maximum = head.take(bands, 2, 'readUInt16LE').map((code) => figure(code, step));
    const bias = head.take(bands, 2, 'readInt16LE').map((code, band) => (code / 32767) * rmse[band]);
    const pairs = detail & CORRELATION ? (bands * (bands - 1)) / 2 : 0;
    return { rmse, maximum, bias, correlation: head.take(pairs, 1, 'readInt8').map((code) => code / 127) };
  });
  const several = layouts.filter(({ rows, cols }) => rows * cols > 1);
  const rest = bytes.subarray(1 + head.at);
  if (detail & RMSE && several.length) {
    const body = new Reader(inflateRawSync(rest));
    layouts.forEach((layout, index) => {
      if (several.includes(layout)) groups[index].blocks = blocks(body, layout, step, detail);
    });
    check(body.at === body.bytes.length, 'the certificate is too long');
  } else check(!rest.length, 'the certificate is too long');
  return groups;
}
