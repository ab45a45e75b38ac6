/**
 * Animated WebP from still ones: the frames' own image chunks, each in an ANMF chunk.
 * Container: RFC 9649, sections 2.5 to 2.7.
 */

const IMAGE_CHUNKS = new Set(['ALPH', 'VP8 ', 'VP8L']);
const ANIMATED = 0x02;
const WITH_ALPHA = 0x10;
/** Of a frame: it replaces what was there, and stays. */
const DO_NOT_BLEND = 0x02;

interface Chunk {
  name: string;
  /** Header, content and padding. */
  bytes: Uint8Array;
}

/** The chunks of a WebP file. */
function chunksOf(file: Uint8Array): Chunk[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const name = (at: number): string => String.fromCharCode(...file.subarray(at, at + 4));
  if (file.length < 20 || name(0) !== 'RIFF' || name(8) !== 'WEBP') throw new Error('A frame is not WebP.');
  const chunks: Chunk[] = [];
  for (let at = 12; at + 8 <= file.length; ) {
    const size = view.getUint32(at + 4, true);
    const end = at + 8 + size + (size % 2);
    chunks.push({ name: name(at), bytes: file.subarray(at, end) });
    at = end;
  }
  return chunks;
}

function put24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 255;
  bytes[at + 1] = (value >> 8) & 255;
  bytes[at + 2] = (value >> 16) & 255;
}

function chunk(name: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + content.length + (content.length % 2));
  bytes.set([...name].map((letter) => letter.charCodeAt(0)));
  new DataView(bytes.buffer).setUint32(4, content.length, true);
  bytes.set(content, 8);
  return bytes;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Frames of one size, shown for `duration` milliseconds each, over and over. */
export function animate(stills: readonly Uint8Array[], width: number, height: number, duration: number): Uint8Array<ArrayBuffer> {
  const images = stills.map((still) => chunksOf(still).filter(({ name }) => IMAGE_CHUNKS.has(name)));
  const header = new Uint8Array(10);
  const alpha = images.flat().some(({ name }) => name !== 'VP8 ');
  header[0] = ANIMATED | (alpha ? WITH_ALPHA : 0);
  put24(header, 4, width - 1);
  put24(header, 7, height - 1);
  const frames = images.map((parts) => {
    const place = new Uint8Array(16);
    put24(place, 6, width - 1);
    put24(place, 9, height - 1);
    put24(place, 12, duration);
    place[15] = DO_NOT_BLEND;
    return chunk('ANMF', concatenated([place, ...parts.map(({ bytes }) => bytes)]));
  });
  const forever = new Uint8Array([255, 255, 255, 255, 0, 0]);
  const body = concatenated([chunk('VP8X', header), chunk('ANIM', forever), ...frames]);
  return chunk('RIFF', concatenated([new Uint8Array([0x57, 0x45, 0x42, 0x50]), body]));
}
