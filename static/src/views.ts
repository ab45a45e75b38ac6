/** How clear the scenes of a collection are over a view, as their archives tell. */
import { fetchJson, interval, layerPath, number, objects, text, url, withQuery } from './api';
import type { BBox } from './geo';
import { inTurn } from './heavy';

/** Percentages of a view; null where the archive doesn't tell, or has no pixel there. */
export interface View {
  /** Share of it where the scene has pixels. */
  covered: number | null;
  /** Of these pixels. */
  clear: number | null;
  cloud: number | null;
}

/** Scenes that the server looks at for one answer. */
const MOST = 200;

/** Answers by their address: panels and tools want the same view. */
const known = new Map<string, Map<string, View>>();
const KEPT = 20;

/** By the id of the scene, the newest scenes of a period. */
export async function fetchViews(
  collection: string, box: BBox, period: { from?: string | null; to?: string | null }, signal: AbortSignal,
): Promise<Map<string, View>> {
  const datetime = interval(period.from, period.to);
  const query = { bbox: box.map((side) => side.toFixed(6)).join(','), limit: String(MOST), ...(datetime && { datetime }) };
  const target = withQuery(url(`${layerPath({ collection, until: null })}/clear`), query);
  const before = known.get(target.href);
  if (before) return before;
  const body = await inTurn(() => fetchJson(target, signal), signal);
  const views = new Map(
    objects(body['items']).map((each) => [
      text(each['item']) ?? '',
      { covered: number(each['covered']), clear: number(each['clear']), cloud: number(each['cloud']) },
    ]),
  );
  known.set(target.href, views);
  for (const old of [...known.keys()].slice(0, -KEPT)) known.delete(old);
  return views;
}
