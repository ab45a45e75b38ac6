/** Areas that are kept on this device: each in a cache of its own, listed in the browser's storage. */
import { fetchTileSet, layerPath, url, withRendering, type Item } from '../../api';
import type { BBox } from '../../geo';
import { infoAddress } from '../../info';
import { DATA, KEPT, keptKey } from '../../offline/keys';
import { addressOf, common, tilesOf } from './plan';

const LIST = 'comeo-kept-areas';
const AT_ONCE = 6;

export interface Area {
  id: string;
  title: string;
  bytes: number;
  tiles: number;
  /** Fragment of the page's address that shows it. */
  link: string;
}

export interface Wanted {
  title: string;
  link: string;
  box: BBox;
  zooms: [number, number];
  items: readonly Item[];
  /** Of each style what its tiles are requested by. */
  pictures: readonly Readonly<Record<string, string>>[];
}

export interface Progress {
  done: number;
  count: number;
  bytes: number;
}

export function keptAreas(): Area[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(LIST) ?? '[]');
    return Array.isArray(found) ? (found as Area[]).filter(({ id, title, bytes }) => typeof id === 'string' && typeof title === 'string' && Number.isFinite(bytes)) : [];
  } catch {
    return [];
  }
}

const write = (areas: readonly Area[]): void => localStorage.setItem(LIST, JSON.stringify(areas));

export async function forget(id: string): Promise<void> {
  await caches.delete(KEPT + id);
  write(keptAreas().filter((area) => area.id !== id));
}

/** What the viewer asks the server for before it draws a scene, so that it can do without. */
async function keepFacts({ collection, id }: Item): Promise<void> {
  const path = layerPath({ collection, item: id });
  const cache = await caches.open(DATA);
  await cache.addAll([infoAddress({ collection, item: id }).href, `${path}/tilejson.json`, `stac/collections/${encodeURIComponent(collection)}/items/${encodeURIComponent(id)}`].map((each) => url(each).href));
}

async function addresses({ box, zooms, items, pictures }: Wanted, signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for (const item of items) {
    signal.throwIfAborted();
    const tiles = await fetchTileSet({ collection: item.collection, item: item.id }, signal);
    const inside = common(box, tiles.bounds);
    if (!inside) continue;
    const [from, to] = zooms.map((zoom) => Math.min(Math.max(zoom, tiles.minZoom), tiles.maxZoom)) as [number, number];
    for (const picture of pictures) {
      const template = withRendering(tiles.template, picture);
      for (const tile of tilesOf(inside, from, to)) found.push(addressOf(template, tile));
    }
  }
  return found;
}

/** Fetches and keeps; answers the area and how many tiles the server did not give. What was begun and stopped goes. */
export async function keep(wanted: Wanted, signal: AbortSignal, told: (progress: Progress) => void): Promise<{ area: Area; failed: number }> {
  const id = crypto.randomUUID();
  try {
    const all = await addresses(wanted, signal);
    const cache = await caches.open(KEPT + id);
    const progress: Progress = { done: 0, count: all.length, bytes: 0 };
    let failed = 0;
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < all.length) {
        const address = all[next++] as string;
        const answer = await fetch(address, { signal }).catch((error: unknown) => {
          if (signal.aborted) throw error;
          return null;
        });
        if (answer?.ok) {
          const body = await answer.blob();
          progress.bytes += body.size;
          await cache.put(keptKey(new URL(address, document.baseURI).href), new Response(body, { headers: answer.headers }));
        } else failed += 1;
        told({ ...progress, done: (progress.done += 1) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    for (const item of wanted.items) await keepFacts(item);
    await navigator.storage?.persist?.();
    const area: Area = { id, title: wanted.title, bytes: progress.bytes, tiles: all.length - failed, link: wanted.link };
    write([...keptAreas(), area]);
    return { area, failed };
  } catch (error) {
    await caches.delete(KEPT + id);
    throw error;
  }
}
