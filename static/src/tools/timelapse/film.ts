/** Makes a file of frames in a worker, no larger than allowed. */
import { proxy, transfer, wrap, type Remote } from 'comlink';

import type { Caption } from '../../picture/furniture';
import type { FilmMaker, Format, Made } from './worker';

declare const FILM_WORKER: string;

/** Sides of the picture in pixels, the largest first. */
const SIDES = [960, 720, 540, 400, 280] as const;
/** A smaller side is chosen with this much to spare, since bytes do not quite follow pixels. */
const SPARE = 0.9;

/** The side to try after one that gave too many bytes; null where there is none. */
export function nextSide(side: number, bytes: number, most: number): number | null {
  const wanted = side * Math.sqrt((most * SPARE) / bytes);
  return SIDES.find((each) => each < side && each <= wanted) ?? SIDES.find((each, index) => each < side && index === SIDES.length - 1) ?? null;
}

/** Null where this browser can't make the format; `undefined` where even the smallest is too large. */
export async function makeFilm(
  frames: readonly { picture: ImageBitmap; caption: Caption }[], format: Format, framesPerSecond: number, most: number, told: (share: number) => void,
): Promise<Made | null | undefined> {
  const worker = new Worker(new URL(FILM_WORKER, document.baseURI));
  const maker: Remote<FilmMaker> = wrap(worker);
  try {
    for (const { picture, caption } of frames) {
      const copy = await createImageBitmap(picture);
      await maker.add(transfer(copy, [copy]), caption);
    }
    let side: number | null = SIDES[0];
    while (side !== null) {
      const made: Made | null = await maker.make({ format, side, framesPerSecond }, proxy(told));
      if (!made || made.blob.size <= most) return made;
      side = nextSide(side, made.blob.size, most);
    }
    return undefined;
  } finally {
    worker.terminate();
  }
}
