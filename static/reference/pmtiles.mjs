/** Writes one PMTiles file (version 3 of its specification), clustered, its tiles compressed by gzip. */
import { promisify } from 'node:util';
import zlib from 'node:zlib';

import { zxyToTileId } from 'pmtiles';

const gzip = promisify(zlib.gzip);
const HEADER = 127;
/** Readers ask for this many bytes first and look for the root directory in them. */
const FIRST_READ = 16384;
const GZIP = 2;
const MVT = 1;

function varint(value, into) {
  let rest = value;
  while (rest > 127) {
    into.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  into.push(rest);
}

/** A directory: the columns of its entries one after the other, as the specification has them. */
function directory(entries) {
  const bytes = [];
  varint(entries.length, bytes);
  entries.forEach(({ id }, i) => varint(id - (entries[i - 1]?.id ?? 0), bytes));
  entries.forEach(({ run }) => varint(run, bytes));
  entries.forEach(({ length }) => varint(length, bytes));
  entries.forEach(({ offset }, i) => {
    const before = entries[i - 1];
    varint(before && offset === before.offset + before.length ? 0 : offset + 1, bytes);
  });
  return Buffer.from(bytes);
}

/** Puts each content once, in the order of the tiles' numbers; answers the entries and the contents. */
async function cluster(tiles) {
  const numbered = tiles.map(({ z, x, y, bytes }) => ({ id: zxyToTileId(z, x, y), bytes: Buffer.from(bytes) }));
  const places = new Map();
  const contents = [];
  const entries = [];
  let end = 0;
  for (const { id, bytes } of numbered.sort((a, b) => a.id - b.id)) {
    const key = bytes.toString('latin1');
    let place = places.get(key);
    if (!place) {
      const packed = await gzip(bytes, { level: 9 });
      place = { offset: end, length: packed.length };
      places.set(key, place);
      contents.push(packed);
      end += packed.length;
    }
    const last = entries[entries.length - 1];
    if (last && last.id + last.run === id && last.offset === place.offset) last.run += 1;
    else entries.push({ id, run: 1, ...place });
  }
  return { entries, contents };
}

function header({ sizes: [root, metadata, data], entries, contents, tiles, maxZoom, centre }) {
  const bytes = Buffer.alloc(HEADER);
  bytes.write('PMTiles', 0, 'latin1');
  bytes.writeUInt8(3, 7);
  const leaves = HEADER + root + metadata;
  const sections = [HEADER, root, HEADER + root, metadata, leaves, 0, leaves, data];
  const counts = [tiles, entries.length, contents.length];
  [...sections, ...counts].forEach((value, i) => bytes.writeBigUInt64LE(BigInt(value), 8 + 8 * i));
  bytes.set([1, GZIP, GZIP, MVT, 0, maxZoom], 96);
  const degrees = [-180, -85.05113, 180, 85.05113];
  degrees.forEach((value, i) => bytes.writeInt32LE(Math.round(value * 1e7), 102 + 4 * i));
  bytes.writeUInt8(centre.zoom, 118);
  bytes.writeInt32LE(Math.round(centre.lon * 1e7), 119);
  bytes.writeInt32LE(Math.round(centre.lat * 1e7), 123);
  return bytes;
}

/**
 * The bytes of a PMTiles file, and how many of its first bytes hold header and directory.
 *
 * Throws when there are more tiles than a root directory holds: leaf directories would cost a reader another wait.
 */
export async function pmtiles(tiles, { maxZoom, metadata, centre = { zoom: 1, lon: 0, lat: 0 } }) {
  const { entries, contents } = await cluster(tiles);
  const root = await gzip(directory(entries), { level: 9 });
  if (HEADER + root.length > FIRST_READ) {
    throw new Error(`The directory of ${entries.length} entries takes ${root.length} bytes, more than readers fetch first.`);
  }
  const described = await gzip(JSON.stringify(metadata), { level: 9 });
  const data = Buffer.concat(contents);
  const sizes = [root.length, described.length, data.length];
  const head = header({ sizes, entries, contents, tiles: tiles.length, maxZoom, centre });
  return { bytes: Buffer.concat([head, root, described, data]), head: HEADER + root.length };
}
