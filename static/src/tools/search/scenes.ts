/** Scenes over a view, with how clear they are there. */
import { searchItems, type Item } from '../../api';
import type { BBox } from '../../geo';
import { fetchViews } from '../../views';

export interface Found {
  item: Item;
  /** Percent of cloud over the view; null where the archive doesn't tell, or has no pixel there. */
  cloud: number | null;
  /** Percent of the view where the scene has pixels; null where the archive doesn't tell. */
  covered: number | null;
}

export interface Query {
  collection: string | null;
  from: string | null;
  to: string | null;
  view: BBox;
}

export type SortBy = 'date' | 'cloud';

/** Scenes that one list shows; the server looks at as many views at once. */
const MOST = 200;

/** Scenes that meet the view, and how many there are in all. */
export async function findScenes(query: Query, signal: AbortSignal): Promise<{ scenes: Found[]; matched: number }> {
  const { collection, from, to, view } = query;
  const { items, matched } = await searchItems({ collection, from, to, bbox: view, limit: MOST }, signal);
  const collections = [...new Set(items.map((item) => item.collection))];
  const views = new Map(await Promise.all(collections.map(async (each) => [each, await fetchViews(each, view, { from, to }, signal)] as const)));
  const scenes = items.map((item) => {
    const { cloud = null, covered = null } = views.get(item.collection)?.get(item.id) ?? {};
    return { item, cloud, covered };
  });
  return { scenes, matched: matched ?? scenes.length };
}

const tells = ({ cloud, covered }: Found): boolean => cloud !== null && covered !== 0;

/** Scenes with at most so much cloud over the view, and how many were left out because nobody tells. */
export function chosenScenes(all: readonly Found[], most: number): { kept: Found[]; untold: number } {
  if (most >= 100) return { kept: [...all], untold: 0 };
  const kept = all.filter((scene) => tells(scene) && (scene.cloud ?? 100) <= most);
  return { kept, untold: all.filter(({ cloud }) => cloud === null).length };
}

export function sortScenes(scenes: readonly Found[], by: SortBy): Found[] {
  const newest = (a: Found, b: Found): number => b.item.datetime.getTime() - a.item.datetime.getTime();
  const cloud = ({ cloud: share }: Found): number => share ?? Infinity;
  return [...scenes].sort((a, b) => (by === 'cloud' && cloud(a) !== cloud(b) ? cloud(a) - cloud(b) : newest(a, b)));
}
