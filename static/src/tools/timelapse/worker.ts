/** Makes films of frames with their captions burnt in, off the page's thread. */
import { expose } from 'comlink';
import { applyPalette, GIFEncoder, quantize } from 'gifenc';
import { BufferTarget, CanvasSource, getFirstEncodableVideoCodec, Mp4OutputFormat, Output, QUALITY_MEDIUM } from 'mediabunny';

import { drawCaptioned, stripHeight, type Caption } from '../../picture/furniture';
import { animate } from './webp';

export type Format = 'gif' | 'webp' | 'video';

export interface Film {
  format: Format;
  /** Pixels of the longer side of the picture, without the strip. */
  side: number;
  framesPerSecond: number;
}

export interface Made {
  blob: Blob;
  width: number;
  height: number;
}

interface Frame {
  picture: ImageBitmap;
  caption: Caption;
}

const WEBP_QUALITY = 0.75;
const COLOURS = 256;
/** Codecs for MP4, the one that most devices play first. */
const CODECS = ['avc', 'vp9', 'av1', 'hevc'] as const;

class FilmMaker {
  readonly #frames: Frame[] = [];

  add(picture: ImageBitmap, caption: Caption): void {
    this.#frames.push({ picture, caption });
  }

  clear(): void {
    for (const { picture } of this.#frames) picture.close();
    this.#frames.length = 0;
  }

  /** Null where this browser can't make the format. `told` gets the share that is done. */
  async make(film: Film, told: (share: number) => void): Promise<Made | null> {
    const canvas = this.#canvas(film.side);
    const makers = { gif: gifOf, webp: webpOf, video: videoOf };
    const draw = (index: number): void => {
      const { picture, caption } = this.#frames[index] as Frame;
      const scale = canvas.width / picture.width;
      drawCaptioned(canvas, picture, { ...caption, metresPerPixel: caption.metresPerPixel / scale });
      told((index + 1) / this.#frames.length);
    };
    const blob = await makers[film.format](canvas, this.#frames.length, draw, film.framesPerSecond);
    return blob && { blob, width: canvas.width, height: canvas.height };
  }

  /** Of even sides, which video needs. */
  #canvas(side: number): OffscreenCanvas {
    const first = this.#frames[0]?.picture;
    if (!first) throw new Error('A film has no frames.');
    const scale = Math.min(1, side / Math.max(first.width, first.height));
    const even = (value: number): number => Math.max(2, 2 * Math.round(value / 2));
    const width = even(first.width * scale);
    return new OffscreenCanvas(width, even(first.height * scale + stripHeight(width)));
  }
}

type Maker = (canvas: OffscreenCanvas, frames: number, draw: (index: number) => void, perSecond: number) => Promise<Blob | null>;

const gifOf: Maker = async (canvas, frames, draw, perSecond) => {
  const encoder = GIFEncoder();
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return null;
  for (let index = 0; index < frames; index++) {
    draw(index);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const palette = quantize(data, COLOURS);
    encoder.writeFrame(applyPalette(data, palette), canvas.width, canvas.height, { palette, delay: 1000 / perSecond });
  }
  encoder.finish();
  return new Blob([encoder.bytes() as Uint8Array<ArrayBuffer>], { type: 'image/gif' });
};

const webpOf: Maker = async (canvas, frames, draw, perSecond) => {
  const stills: Uint8Array[] = [];
  for (let index = 0; index < frames; index++) {
    draw(index);
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality: WEBP_QUALITY });
    if (blob.type !== 'image/webp') return null; // browsers that can't write WebP give PNG
    stills.push(new Uint8Array(await blob.arrayBuffer()));
  }
  return new Blob([animate(stills, canvas.width, canvas.height, Math.round(1000 / perSecond))], { type: 'image/webp' });
};

const videoOf: Maker = async (canvas, frames, draw, perSecond) => {
  if (!('VideoEncoder' in globalThis)) return null;
  const codec = await getFirstEncodableVideoCodec([...CODECS], { width: canvas.width, height: canvas.height });
  if (!codec) return null;
  const output = new Output({ format: new Mp4OutputFormat({ fastStart: 'in-memory' }), target: new BufferTarget() });
  const source = new CanvasSource(canvas, { codec, bitrate: QUALITY_MEDIUM });
  output.addVideoTrack(source, { frameRate: perSecond });
  await output.start();
  for (let index = 0; index < frames; index++) {
    draw(index);
    await source.add(index / perSecond, 1 / perSecond);
  }
  await output.finalize();
  return output.target.buffer && new Blob([output.target.buffer], { type: 'video/mp4' });
};

export type { FilmMaker };
expose(new FilmMaker());
