// node main.mjs archive NAME [PIXELS]: describes an archive as JSON, and writes the pixels of all levels into a file.
// node main.mjs payload NAME [PIXELS]: likewise a payload.

import { readFileSync, writeFileSync } from 'node:fs';

import { Archive } from './archive.mjs';
import { FormatError } from './bytes.mjs';
import { learnedHead } from './learned.mjs';
import { decodePayload, parsePayload } from './payload.mjs';

// Of all blocks of a level: how many there are, their codec, and how many pixels are valid and saturated.
function census(archive, level) {
  const out = { blocks: 0, codec: null, valid: 0, saturated: 0 };
  for (let row = 0; row * level.block < level.height; row++)
    for (let col = 0; col * level.block < level.width; col++) {
      const payload = archive.payload(level, row, col);
      if (!payload) continue;
      const parsed = parsePayload(payload);
      out.blocks++;
      out.codec = parsed.codec;
      out.valid += parsed.valid.reduce((sum, bit) => sum + bit, 0);
      out.saturated += parsed.saturated.reduce((sum, bit) => sum + bit, 0);
    }
  return out;
}

// How many pixels each class has, or a sentence where this Node.js cannot tell.
function clearPixels(archive) {
  const found = archive.clear();
  if (!found || found.sentence) return found?.sentence ?? null;
  const counts = new Array(7).fill(0);
  for (const one of found.classes) counts[one]++;
  return { shape: [found.height, found.width], counts };
}

function describeArchive(path, pixels) {
  const archive = new Archive(path);
  const levels = Object.values(archive.groups).flatMap((group) => group.levels);
  if (pixels) {
    const parts = levels.map((level) => archive.pixels(level));
    writeFileSync(pixels, Buffer.concat(parts.map((part) => Buffer.from(part.buffer))));
  }
  return {
    id: archive.item.id,
    version: archive.facts.format_version,
    step: archive.facts.step,
    means: archive.means(),
    histograms: archive.histograms(),
    certificate: archive.certificate(),
    clear: clearPixels(archive),
    levels: levels.map((level) => ({ ...level, ...census(archive, level) })),
  };
}

function describePayload(path, pixels) {
  const file = readFileSync(path);
  const { valid, saturated, rest, ...header } = parsePayload(file);
  if (pixels) writeFileSync(pixels, Buffer.from(decodePayload(file).data.buffer));
  const { bands } = header;
  const head = 2 * bands + (bands * (bands - 1)) / 2;
  const learned = header.codec === 'learned' && header.usable ? learnedHead(rest.subarray(head), bands) : null;
  return { ...header, learned, valid: Buffer.from(valid).toString('base64'), saturated: Buffer.from(saturated).toString('base64') };
}

const KINDS = { archive: describeArchive, payload: describePayload };

try {
  const [kind, path, pixels] = process.argv.slice(2);
  if (!path || !(kind in KINDS)) throw new FormatError('usage: node main.mjs archive|payload NAME [PIXELS]');
  console.log(JSON.stringify(KINDS[kind](path, pixels)));
} catch (error) {
  if (!(error instanceof FormatError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
