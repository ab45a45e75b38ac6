// The group clear/: of each pixel of about 60 m what it shows.

import * as zlib from 'node:zlib';

import { FormatError, check } from './bytes.mjs';

const HIGHEST = 6, MAX_PIXELS = 2 ** 28;
const KEY = 'clear/data';

function decompressed(frame, size) {
  try {
    return zlib.zstdDecompressSync(frame, { maxOutputLength: size });
  } catch (error) {
    throw new FormatError(`a block of clear/ cannot be unpacked: ${error.message}`);
  }
}

// The classes of an archive: { height, width, classes }; or { sentence } where this Node.js has no zstd.
export function readClear(archive) {
  if (!zlib.zstdDecompressSync) return { sentence: 'clear/ takes zstd, which Node.js has from 22.15 on' };
  const array = archive.document(`${KEY}/zarr.json`);
  const { name, configuration } = array.codecs[0];
  check(array.data_type === 'uint8' && array.fill_value === 0, 'clear/ has other numbers');
  check(name === 'sharding_indexed' && configuration.index_location === 'end', 'clear/ is not sharded');
  check(configuration.codecs.map((codec) => codec.name).join() === 'bytes,zstd,crc32c', 'clear/ has other codecs');
  const [height, width] = array.shape;
  const side = configuration.chunk_shape[0];
  check(configuration.chunk_shape[1] === side && side >= 64 && side <= 2048, 'clear/ has blocks of another shape');
  check(height > 0 && width > 0 && height * width <= MAX_PIXELS, 'clear/ has an impossible size');
  const [rows, cols] = [Math.ceil(height / side), Math.ceil(width / side)];
  const level = { shards: `${KEY}/c`, shard: [rows, cols] };
  const classes = new Uint8Array(height * width);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const frame = archive.payload(level, row, col);
      if (!frame) continue;
      const block = decompressed(frame, side * side);
      check(block.length === side * side && block.every((one) => one <= HIGHEST), `block (${row}, ${col}) of clear/ is damaged`);
      for (let line = 0; line < Math.min(side, height - row * side); line++) {
        const stop = line * side + Math.min(side, width - col * side);
        classes.set(block.subarray(line * side, stop), (row * side + line) * width + col * side);
      }
    }
  return { height, width, classes };
}
