/** What the map's picture can be compared with: dates of its place, and other scenes over it. */
import type { Item } from '../../api';
import { centreOf, contains } from '../../geo';
import type { State } from '../../store';

export interface Choices {
  /** Newest first; the scene that is shown comes last, for another style of it. */
  dates: Item[];
  scenes: Item[];
}

const newestFirst = (a: Item, b: Item): number => b.datetime.getTime() - a.datetime.getTime();

export function choicesOf({ item, items, series }: Readonly<State>): Choices {
  if (!item) return { dates: [], scenes: [] };
  const [lon, lat] = centreOf(item.bbox);
  const here = items.filter((each) => contains(each.geometry, lon, lat));
  const dates = [...series.filter(({ key }) => key !== item.key)].sort(newestFirst);
  const known = new Set([item.key, ...dates.map(({ key }) => key)]);
  return { dates, scenes: here.filter(({ key }) => !known.has(key)).sort(newestFirst) };
}

/** What is worth comparing with first: the date before, else the one after, else another scene. */
export function firstChoice(item: Item, { dates, scenes }: Choices): Item | null {
  const before = dates.find(({ datetime }) => datetime < item.datetime);
  return before ?? dates[dates.length - 1] ?? scenes[0] ?? null;
}
