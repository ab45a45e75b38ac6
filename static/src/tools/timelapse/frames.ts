/** Which dates a film shows, and their pictures. */
import type { Item, Layer } from '../../api';
import type { BBox } from '../../geo';
import { fetchViews } from '../../views';
import { fetchPicture } from '../../picture/ground';

/** More frames than these tell no more, and cost. */
export const MOST_FRAMES = 60;
/** Percent of cloud over the view from which a date is skipped. */
export const CLOUDY = 20;
/** Pictures fetched at a time: a slow link is not to be torn apart. */
const AT_ONCE = 4;

export interface Frame {
  item: Item;
  picture: ImageBitmap;
}

/** At most so many, the first and the last among them, at even distances. */
export function spread<Each>(all: readonly Each[], most: number): Each[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, index) => all[Math.round((index * (all.length - 1)) / (most - 1))] as Each);
}

/** Percent of cloud over a view by scene, as the archives tell; else of the whole scene, as the product told. */
export async function cloudsOver(collection: string, box: BBox, items: readonly Item[], signal: AbortSignal): Promise<Map<string, number>> {
  const clouds = new Map(items.flatMap(({ id, cloudCover }): [string, number][] => (cloudCover === null ? [] : [[id, cloudCover]])));
  for (const [id, { cloud }] of await fetchViews(collection, box, {}, signal)) if (cloud !== null) clouds.set(id, cloud);
  return clouds;
}

export const withoutClouds = (items: readonly Item[], clouds: ReadonlyMap<string, number>): Item[] =>
  items.filter(({ id }) => (clouds.get(id) ?? 0) <= CLOUDY);

/** Fetches the pictures of dates, a few at a time; `told` gets how many are there. */
export async function fetchFrames(
  items: readonly Item[], query: Readonly<Record<string, string>>, box: BBox, side: number, signal: AbortSignal, told: (done: number) => void,
): Promise<Frame[]> {
  const frames = new Array<Frame>(items.length);
  let [next, done] = [0, 0];
  const work = async (): Promise<void> => {
    for (let index = next++; index < items.length && !signal.aborted; index = next++) {
      const item = items[index] as Item;
      const layer: Layer = { collection: item.collection, item: item.id };
      frames[index] = { item, picture: await createImageBitmap(await fetchPicture(layer, query, box, side, signal)) };
      told((done += 1));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return frames;
}
