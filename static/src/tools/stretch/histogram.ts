/** How the values of a view are distributed, from the server's statistics. */
import { fetchJson, layerPath, number, objects, url, valueQuery, type Item, type Range, type Style } from '../../api';
import { inTurn } from '../../heavy';
import { polygonOf, type BBox } from '../../geo';

/** Of one result of a style. */
export interface Distribution {
  counts: number[];
  /** One more than the counts. */
  edges: number[];
  /** Values below which percentages of the pixels lie, by percentage. */
  percentiles: ReadonlyMap<number, number>;
}

/** Percentages of pixels cut off at both ends that may be chosen. */
export const CUTS = [0, 1, 2, 5] as const;
export type Cut = (typeof CUTS)[number];
const BINS = 96;
/** Longest side in pixels of what is counted: enough for a histogram, and little to decode. */
const SIDE = 384;

const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(number).filter((each) => each !== null) : []);

function distribution(value: Record<string, unknown>): Distribution | null {
  const [counts, edges] = Array.isArray(value['histogram']) ? value['histogram'].map(numbers) : [];
  const percentiles = new Map(
    Object.entries(value).flatMap(([key, share]) => {
      const percentage = /^percentile_(\d+)$/.exec(key)?.[1];
      const found = number(share);
      return percentage && found !== null ? [[Number(percentage), found] as const] : [];
    }),
  );
  return counts && edges && edges.length === counts.length + 1 && percentiles.size > 0 ? { counts, edges, percentiles } : null;
}

/** The part of the view where the scene lies; null where there is none. */
export function overlap(view: BBox, scene: BBox): BBox | null {
  const box: BBox = [Math.max(view[0], scene[0]), Math.max(view[1], scene[1]), Math.min(view[2], scene[2]), Math.min(view[3], scene[3])];
  return box[0] < box[2] && box[1] < box[3] ? box : null;
}

/** Distribution of each result of a style over a part of a scene; empty where it has no pixel there. */
export async function fetchDistributions(item: Item, style: Style, box: BBox, signal: AbortSignal): Promise<Distribution[]> {
  const target = url(`${layerPath({ collection: item.collection, item: item.id })}/statistics`);
  const shares = [...new Set(CUTS.flatMap((cut) => [cut, 100 - cut]))];
  const query = { ...valueQuery(style), p: shares.join(','), histogram_bins: String(BINS), max_size: String(SIDE) };
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  const headers = { 'Content-Type': 'application/geo+json', Accept: 'application/json' };
  const body = await inTurn(() => fetchJson(target, signal, { method: 'POST', body: JSON.stringify(polygonOf(box)), headers }), signal);
  return objects(Object.values(body)).map(distribution).filter((each) => each !== null);
}

/** Range of a distribution without a percentage of the pixels at both ends. */
export function rangeOf({ percentiles, edges }: Distribution, cut: Cut): Range {
  const low = percentiles.get(cut) ?? edges[0] ?? 0;
  const high = percentiles.get(100 - cut) ?? edges[edges.length - 1] ?? 1;
  return high > low ? [low, high] : [low, low + (Math.abs(low) || 1)];
}

export const isEmpty = (found: readonly Distribution[]): boolean => found.length === 0 || found.every(({ counts }) => counts.every((count) => count === 0));

