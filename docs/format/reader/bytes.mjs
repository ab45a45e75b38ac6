// What the format takes from elsewhere: ZIP directories, CRC-32, CRC-32C, NPY arrays.

import { inflateRawSync } from 'node:zlib';

export class FormatError extends Error {}

export function check(fine, message) {
  if (!fine) throw new FormatError(message);
}

function crcTable(polynomial) {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value >>> 0;
  });
}

function crc(table, bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = table[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const ZIP_CRC = crcTable(0xedb88320);
const CASTAGNOLI = crcTable(0x82f63b78);

export const crc32 = (bytes) => crc(ZIP_CRC, bytes);
export const crc32c = (bytes) => crc(CASTAGNOLI, bytes);

// The entries of a ZIP file as { name: { method, crc, start, stop } }, each checked against its local header.
export function zipEntries(file) {
  check(file.length >= 22, 'the file is too short for a ZIP');
  const end = file.length - 22;
  check(file.readUInt32LE(end) === 0x06054b50 && file.readUInt16LE(end + 20) === 0, 'the ZIP directory is missing');
  const count = file.readUInt16LE(end + 10);
  const [size, offset] = [file.readUInt32LE(end + 12), file.readUInt32LE(end + 16)];
  check(offset + size === end, 'the ZIP directory is misplaced');
  const entries = {};
  let at = offset;
  for (let index = 0; index < count; index++) {
    check(at + 46 <= end && file.readUInt32LE(at) === 0x02014b50, 'the ZIP directory is damaged');
    const [nameLength, extra, comment] = [28, 30, 32].map((place) => file.readUInt16LE(at + place));
    const name = file.toString('utf8', at + 46, at + 46 + nameLength);
    const header = file.readUInt32LE(at + 42);
    check(header + 30 <= file.length && file.readUInt32LE(header) === 0x04034b50, `${name} has no local header`);
    const own = file.toString('utf8', header + 30, header + 30 + file.readUInt16LE(header + 26));
    check(own === name, `${name} has another name where its data lie`);
    const start = header + 30 + file.readUInt16LE(header + 26) + file.readUInt16LE(header + 28);
    const stop = start + file.readUInt32LE(at + 20);
    check(stop <= file.length && !(name in entries), `${name} does not lie inside the file, or is there twice`);
    entries[name] = { method: file.readUInt16LE(at + 10), crc: file.readUInt32LE(at + 16), start, stop };
    at += 46 + nameLength + extra + comment;
  }
  check(at === end, 'the ZIP directory is damaged');
  return entries;
}

// The bytes of a small entry as a whole, its CRC-32 verified.
export function zipContent(file, entry) {
  const stored = file.subarray(entry.start, entry.stop);
  check(entry.method === 0 || entry.method === 8, 'a ZIP entry has an unknown method');
  const content = entry.method ? inflateRawSync(stored) : stored;
  check(crc32(content) === entry.crc, 'a ZIP entry is damaged');
  return content;
}

const TYPES = { '|u1': Uint8Array, '|i1': Int8Array, '<i2': Int16Array, '<u2': Uint16Array, '<i4': Int32Array };

// An array of NumPy's NPZ files: { shape, data }.
export function npzArray(file, name) {
  const entry = zipEntries(file)[`${name}.npy`];
  check(entry, `there is no array ${name}`);
  const content = zipContent(file, entry);
  check(content.toString('latin1', 1, 6) === 'NUMPY' && content[6] === 1, `${name} is no NPY array`);
  const header = content.toString('latin1', 10, 10 + content.readUInt16LE(8));
  const type = TYPES[/'descr': '([^']+)'/.exec(header)[1]];
  check(type && header.includes("'fortran_order': False"), `${name} has another layout`);
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(',').filter((part) => part.trim()).map(Number);
  const body = Uint8Array.from(content.subarray(10 + content.readUInt16LE(8)));
  return { shape, data: new type(body.buffer) };
}
