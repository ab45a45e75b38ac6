/** What two scenes differ by, as the server computes it: only beyond what coding may have caused. */
import { fetchJson, layerPath, number, sameTemplate, text, url, valueQuery, ApiError, type Item, type SceneInfo, type TileSet } from '../../api';
import type { BBox } from '../../geo';
import { OWN } from '../../indicator';
import { shownStyle, type State } from '../../store';
import type { Say } from '../../words/words';

type Scene = { collection: string; item: string };
type Query = Readonly<Record<string, string>>;

/** Whether both archives tell clouds. */
export const canMask = (...infos: readonly SceneInfo[]): boolean => infos.every(({ styles }) => styles.some(({ id }) => id === 'clear'));

/** Whether both archives tell how far off they are expected to be. */
export const tellErrors = (...infos: readonly SceneInfo[]): boolean => infos.every(({ fidelity }) => fidelity !== null);

export function againstQuery(state: Readonly<State>, other: Item, theirs: SceneInfo): Query {
  const { info } = state;
  const style = shownStyle(state);
  const [clear, sure] = info ? [canMask(info, theirs), tellErrors(info, theirs)] : [false, false];
  // an indicator of the page's own has no range of differences that the server knows
  const half = style?.id === OWN && style.legend ? (style.legend.maximum - style.legend.minimum) / 2 : null;
  return { ...(clear ? { mask: 'clear' } : {}), ...(style ? valueQuery(style) : {}), ...(half ? { rescale: `${-half},${half}` } : {}), against: other.id, ...(sure ? {} : { significant: 'false' }) };
}

function address(scene: Scene, path: string, query: Query): URL {
  const target = url(`${layerPath(scene)}/${path}`);
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  return target;
}

export async function fetchDifference(scene: Scene, query: Query, signal: AbortSignal): Promise<TileSet> {
  // lines of hatching are sharp, and colours few: PNG
  const body = await fetchJson(address(scene, 'tilejson.json', { ...query, tile_format: 'png' }), signal);
  const template = Array.isArray(body['tiles']) ? text(body['tiles'][0]) : null;
  const bounds = body['bounds'];
  if (!template || !Array.isArray(bounds)) throw new ApiError('The server named no tiles for this difference.', null);
  return {
    template: sameTemplate(template), bounds: bounds as BBox, minZoom: Math.max(0, (number(body['minzoom']) ?? 0) - 3),
    maxZoom: number(body['maxzoom']) ?? 18, attribution: text(body['attribution']) ?? '',
  };
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

/** The difference at a point in words, and whether it is sure. */
export async function readDifference(
  scene: Scene, query: Query, lon: number, lat: number, say: Say<'sure' | 'unsure' | 'unknown' | 'no-value'>,
): Promise<string> {
  const answer = await fetchJson(address(scene, `point/${lon.toFixed(6)},${lat.toFixed(6)}`, query));
  const results = (answer['results'] ?? []) as Record<string, unknown>[];
  const before = (((answer['against'] ?? {}) as Record<string, unknown>)['results'] ?? []) as Record<string, unknown>[];
  const [now, difference] = results;
  const [value, error, after, earlier] = [difference?.['value'], difference?.['expected_error'], now?.['value'], before[0]?.['value']].map(number);
  if (value == null || after == null || earlier == null) return say('no-value');
  const values = { value: (value > 0 ? '+' : '') + short(value), now: short(after), before: short(earlier), error: short(Number((error ?? 0).toPrecision(2))) };
  if (error == null) return say('unknown', values);
  return say(difference?.['significant'] === true ? 'sure' : 'unsure', values);
}
