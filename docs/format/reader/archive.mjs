// An archive: its file, its metadata, its shards, and what it states about itself.

import { readFileSync } from 'node:fs';

import { FormatError, check, crc32c, zipContent, zipEntries } from './bytes.mjs';
import { decodeCertificate } from './certificate.mjs';
import { readClear } from './clear.mjs';
import { decodePayload, parsePayload } from './payload.mjs';

const NEWEST = 2;
const ABSENT = 0xffffffffffffffffn;
const PERCENTAGES = [0, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 100];

// The mean of two pixels, of those that are known.
function mean(one, other) {
  if (Number.isNaN(one)) return other;
  return Number.isNaN(other) ? one : Math.fround(0.5 * one + 0.5 * other);
}

export class Archive {
  constructor(path) {
    this.file = readFileSync(path);
    this.entries = zipEntries(this.file);
    for (const [name, entry] of Object.entries(this.entries))
      check(entry.method === 0, `${name} is deflated; an archive's entries are stored`);
    const root = this.document('zarr.json');
    this.item = root.attributes.stac_discovery;
    this.facts = root.attributes.comeo;
    check(this.facts.format_version >= 1 && this.facts.format_version <= NEWEST,
      `version ${this.facts.format_version} of the format is unknown`);
    this.groups = {};
    for (const name of this.facts.groups) this.groups[name] = this.group(name);
    this.shards = this.inventory();
  }

  // The checksum of each shard that there is, or would be, by key; null in version 1, which does not say.
  inventory() {
    if (this.facts.format_version === 1) return null;
    check(typeof this.facts.shards === 'string', 'comeo.shards is missing');
    const bytes = Buffer.from(this.facts.shards, 'base64');
    const keys = Object.values(this.groups).flatMap((group) => group.levels).flatMap((level) => {
      const [rows, cols] = [level.height, level.width].map((side, axis) => Math.ceil(Math.ceil(side / level.block) / level.shard[axis]));
      return Array.from({ length: rows * cols }, (_, at) => `${level.shards}/${Math.floor(at / cols)}/${at % cols}`);
    });
    if (this.facts.clear) keys.push('clear/data/c/0/0');
    check(bytes.length === 4 * keys.length, 'comeo.shards has another length');
    return Object.fromEntries(keys.map((key, at) => [key, bytes.readUInt32LE(4 * at)]));
  }

  // Whether a shard is there, which has to be as the archive states.
  hasShard(key, slots) {
    const entry = this.entries[key];
    const found = entry ? this.file.readUInt32LE(entry.stop - 4) : crc32c(Buffer.alloc(16 * slots, 0xff));
    check(!this.shards || this.shards[key] === found, entry ? `${key} is of another archive` : `${key} is missing`);
    return Boolean(entry);
  }

  document(key) {
    check(this.entries[key], `${key} is missing`);
    return JSON.parse(zipContent(this.file, this.entries[key]).toString('utf8'));
  }

  group(name) {
    const { bands, levels, nodata, ...grid } = this.document(`${name}/zarr.json`).attributes;
    return { bands, nodata, grid, levels: levels.map((number) => this.level(name, number, grid)) };
  }

  level(group, number, grid) {
    const key = `${group}/${number}/data`;
    const array = this.document(`${key}/zarr.json`);
    const sharding = array.codecs[0].configuration;
    const [codec, checksum] = sharding.codecs;
    check(array.codecs[0].name === 'sharding_indexed' && sharding.index_location === 'end', `${key} is not sharded`);
    check(codec.name === `comeo.${this.facts.codec}` && checksum.name === 'crc32c', `${key} has another codec`);
    const [bands, height, width] = array.shape;
    const block = sharding.chunk_shape[1];
    const shard = array.chunk_grid.configuration.chunk_shape.slice(1).map((side) => side / block);
    const shards = `${key}/c/0`; // all bands are in one
    const level = { key, shards, number, bands, height, width, block, shard, dtype: array.data_type, fill: array.fill_value };
    const { reference = null } = codec.configuration;
    const offset = reference === null ? null : this.offset(level, reference, grid);
    return { ...level, reference, offset };
  }

  // Where a level begins on the one of an earlier group that it is predicted from: that one's pixels down, and to the right.
  offset(level, key, grid) {
    for (const group of Object.values(this.groups))
      for (const other of group.levels) {
        if (other.key !== key) continue;
        const [[a, b, c, d, e, f], own] = [group.grid, grid].map((one) => one['spatial:transform']);
        const size = Math.max(...[a, b, d, e].map(Math.abs));
        const alike = [a, b, d, e].every((value, index) => Math.abs(own[[0, 1, 3, 4][index]] / 2 - value) <= 1e-3 * size);
        const [x, y] = [own[2] - c, own[5] - f];
        const scale = (a * e - b * d) * 2 ** level.number;
        const place = [(a * y - d * x) / scale, (e * x - b * y) / scale];
        const offset = place.map((pixels) => Math.round(pixels) + 0); // + 0: not -0
        const apart = [offset[0] + 2 * level.height - other.height, offset[1] + 2 * level.width - other.width];
        check(other.number === level.number && !other.reference && alike
          && place.every((pixels, axis) => Math.abs(pixels - offset[axis]) <= 0.15 && Math.abs(offset[axis]) <= 1)
          && apart.every((pixels) => Math.abs(pixels) <= 2)
          && ['proj:code', 'proj:wkt2'].every((name) => group.grid[name] === grid[name]), `${level.key} is predicted from other ground`);
        return offset;
      }
    throw new FormatError(`${level.key} is predicted from ${key}, which is no finer level`);
  }

  // How certain means are: [small, large] of each band, by group.
  means() {
    const typical = { dct: [0.9, 1], jpeg2000: [1.2, 1.5], learned: [1, 3] }[this.facts.codec];
    const bands = Object.entries(this.groups).flatMap(([name, group]) => group.bands.map((band) => [name, band.name]));
    const codes = Buffer.from(this.facts.means ?? '', 'base64');
    check(this.facts.means === undefined || codes.length === 2 * bands.length, 'there are not two factors of means a band');
    const out = {};
    bands.forEach(([name, band], index) => {
      const own = typical.map((factor, size) => (codes[2 * index + size] ? 2 ** ((codes[2 * index + size] - 128) / 16) : factor));
      (out[name] ??= {})[band] = own;
    });
    return out;
  }

  // Errors by group, or null.
  certificate() {
    if (!this.facts.certificate) return null;
    const layouts = Object.values(this.groups).map(({ levels: [{ bands, height, width, block }] }) => ({
      bands, rows: Math.ceil(height / block), cols: Math.ceil(width / block),
    }));
    return decodeCertificate(this.facts.certificate, layouts, this.facts.step);
  }

  // Of each band { percentage: number }, or null.
  histograms() {
    const out = {};
    if (!this.facts.histograms) return out;
    const bytes = Buffer.from(this.facts.histograms, 'base64');
    let at = 0;
    for (const group of Object.values(this.groups))
      for (const band of group.bands) {
        const codes = PERCENTAGES.map((_, index) => bytes.readUInt16LE(at + 2 * index));
        at += 2 * PERCENTAGES.length;
        const number = (code) => (group.levels[0].dtype === 'float32' ? new Float32Array(Uint32Array.of(code * 65536).buffer)[0] : code);
        out[band.name] = codes.every((code) => code === 65535)
          ? null
          : Object.fromEntries(codes.map((code, index) => [PERCENTAGES[index], number(code)]));
      }
    check(at === bytes.length, 'the histograms have another length');
    return out;
  }

  // Which pixels are clear: { height, width, classes }, or null where the archive does not say.
  clear() {
    check(Boolean(this.facts.clear) === Boolean(this.entries['clear/zarr.json']), 'clear/ and comeo.clear are not both there');
    return this.facts.clear ? readClear(this) : null;
  }

  // The index of a shard: of each slot [offset, length], or null.
  shardIndex(level, row, col) {
    const key = `${level.shards}/${row}/${col}`;
    const slots = level.shard[0] * level.shard[1];
    if (!this.hasShard(key, slots)) return null;
    const entry = this.entries[key];
    const shard = this.file.subarray(entry.start, entry.stop);
    const start = shard.length - 16 * slots - 4;
    check(start >= 0 && crc32c(shard.subarray(start, -4)) === shard.readUInt32LE(shard.length - 4), 'an index is damaged');
    const index = Array.from({ length: slots }, (_, slot) => {
      const [offset, length] = [0, 8].map((part) => shard.readBigUInt64LE(start + 16 * slot + part));
      if (offset === ABSENT && length === ABSENT) return null;
      check(length > 4n && offset + length <= BigInt(start), 'an index points outside its shard');
      return [Number(offset), Number(length)];
    });
    return { shard, index };
  }

  // The payload of a block, its checksum verified; null for a block without a valid pixel.
  payload(level, row, col) {
    const [rows, cols] = level.shard;
    const found = this.shardIndex(level, Math.floor(row / rows), Math.floor(col / cols));
    const slot = found?.index[(row % rows) * cols + (col % cols)];
    if (!slot) return null;
    const bytes = found.shard.subarray(slot[0], slot[0] + slot[1]);
    check(crc32c(bytes.subarray(0, -4)) === bytes.readUInt32LE(bytes.length - 4), `block (${row}, ${col}) is damaged`);
    return bytes.subarray(0, -4);
  }

  // A block as it is decoded, null where there is none.
  block(level, row, col, options = {}) {
    const payload = this.payload(level, row, col);
    if (!payload) return null;
    const predicted = level.reference && parsePayload(payload).prediction;
    const found = decodePayload(payload, { ...options, reference: predicted ? this.reference(level, row, col) : null });
    const sides = [level.height - row * level.block, level.width - col * level.block].map((side) => Math.min(level.block, side));
    const [tall, wide] = options.half ? sides.map((side) => Math.ceil(side / 2)) : sides;
    check(found.bands === level.bands && found.height === tall && found.width === wide, 'a block has another size');
    return found;
  }

  // What a block is predicted from: of each band of the finer level a plane, NaN where nothing is known.
  reference(level, row, col) {
    const [top, left] = [row * level.block, col * level.block];
    const [height, width] = [Math.min(level.block, level.height - top), Math.min(level.block, level.width - left)];
    const [down, right] = level.offset;
    const wide = width + Math.abs(right);
    const [below, beside] = [Math.abs(down) * wide, Math.abs(right)];
    const halves = this.halves(level, top + Math.min(down, 0), left + Math.min(right, 0), height + Math.abs(down), wide);
    return halves.map((plane) => Float32Array.from({ length: height * width }, (_, place) => {
      const at = Math.floor(place / width) * wide + (place % width);
      return mean(mean(plane[at], plane[at + below]), mean(plane[at + beside], plane[at + below + beside]));
    }));
  }

  // A window of the level that one is predicted from, at half size: of each band a plane, NaN where nothing is known.
  halves(level, top, left, height, width) {
    const finer = Object.values(this.groups).flatMap((group) => group.levels).find((other) => other.key === level.reference);
    const planes = Array.from({ length: finer.bands }, () => new Float32Array(height * width).fill(NaN));
    const side = finer.block / 2;
    const first = [top, left].map((start) => Math.max(0, Math.floor(start / side)));
    for (let r = first[0]; r * side < top + height && r * finer.block < finer.height; r++)
      for (let c = first[1]; c * side < left + width && c * finer.block < finer.width; c++) {
        const found = this.block(finer, r, c, { half: true });
        found?.data.forEach((value, index) => {
          const line = Math.floor(index / found.width);
          const y = r * side + (line % found.height) - top;
          const x = c * side + (index % found.width) - left;
          const unknown = !found.float && (value === 0 || value === 65535);
          if (y >= 0 && y < height && x >= 0 && x < width && !unknown)
            planes[Math.floor(line / found.height)][y * width + x] = value;
        });
      }
    return planes;
  }

  // The pixels of a level: (bands, height, width) as one typed array.
  pixels(level) {
    const { bands, height, width, block } = level;
    const out = level.dtype === 'float32' ? new Float32Array(bands * height * width) : new Uint16Array(bands * height * width);
    if (level.fill === 'NaN') out.fill(NaN);
    for (let row = 0; row * block < height; row++)
      for (let col = 0; col * block < width; col++) {
        const found = this.block(level, row, col);
        if (!found) continue;
        const { height: tall, width: wide } = found;
        for (let band = 0; band < bands; band++)
          for (let line = 0; line < tall; line++)
            out.set(found.data.subarray((band * tall + line) * wide, (band * tall + line + 1) * wide),
              (band * height + row * block + line) * width + col * block);
      }
    return out;
  }
}
