/** Time series from the server: of fields and indicators, one value a date, with its uncertainty and its cloud. */
import type { MultiPolygon, Polygon } from 'geojson';

import { fetchJson, interval, number, objects, text, url, valueQuery, type Style } from '../../api';
import { bboxOf, polygonOf, unionOf, type BBox } from '../../geo';
import { inTurn } from '../../heavy';
import { fetchViews, type View } from '../../views';
import type { Field, Shape } from './fields';

export interface Observation {
  item: string;
  date: Date;
  /** Null where the field has no value at that date. */
  value: number | null;
  /** Standard uncertainty of the value; null where the archive doesn't tell. */
  uncertainty: number | null;
  /** Spread of the pixels' values. */
  spread: number | null;
  /** Share of the field that is clear, 0 to 1; null where the archive doesn't tell. */
  clear: number | null;
  pixels: number | null;
}

export interface Curve {
  field: Field;
  style: string;
  observations: Observation[];
}

/** The part of a curve that is of one year. */
export const ofYear = (curve: Curve, year: number): Curve => ({ ...curve, observations: curve.observations.filter(({ date }) => date.getUTCFullYear() === year) });

export interface Wanted {
  collection: string;
  styles: readonly Style[];
  fields: readonly Field[];
  from?: string | null;
  to?: string | null;
}

/** Half the side in degrees of latitude of the area that stands for a pixel: 5 m. */
const HALF_PIXEL = 4.5e-5;
/** Below this a date counts as cloudy. */
export const CLEAR_ENOUGH = 0.8;

export const cloudy = ({ clear }: Observation): boolean => clear !== null && clear < CLEAR_ENOUGH;

/** A point as the area of a pixel around it: the server answers for areas. */
export function areaOf(shape: Shape): Polygon | MultiPolygon {
  if (shape.type !== 'Point') return shape;
  const [x = 0, y = 0] = shape.coordinates;
  const half = HALF_PIXEL / Math.max(0.05, Math.cos((y * Math.PI) / 180));
  return polygonOf([x - half, y - HALF_PIXEL, x + half, y + HALF_PIXEL]);
}

/** The box around all fields. */
export const boxOf = (fields: readonly Field[]): BBox | null =>
  unionOf(fields.map(({ geometry }) => bboxOf(areaOf(geometry))).filter((box) => box !== null));

/** One observation of an answer. */
function observation(each: Record<string, unknown>): Observation | null {
  const item = text(each['item']);
  const date = new Date(text(each['datetime']) ?? NaN);
  if (!item || Number.isNaN(date.getTime())) return null;
  return {
    item,
    date,
    value: number(each['value']),
    uncertainty: number(each['uncertainty']),
    spread: number(each['spread']),
    clear: number(each['clear_fraction']),
    pixels: number(each['pixels']),
  };
}

/** Curves of all fields in one style: one request, which keeps their order. */
export async function fetchSeries({ collection, from, to, fields }: Wanted, style: Style, signal: AbortSignal): Promise<Curve[]> {
  const target = url(`collections/${encodeURIComponent(collection)}/series`);
  for (const [name, value] of Object.entries(valueQuery(style))) target.searchParams.set(name, value);
  const when = interval(from, to);
  if (when) target.searchParams.set('datetime', when);
  const features = fields.map(({ geometry }, id) => ({ type: 'Feature', id, properties: {}, geometry: areaOf(geometry) }));
  const body = await inTurn(() => fetchJson(target, signal, {
    method: 'POST',
    body: JSON.stringify({ type: 'FeatureCollection', features }),
    headers: { 'Content-Type': 'application/geo+json', Accept: 'application/json' },
  }), signal);
  const answers = objects(body['features']);
  return fields.map((field, place) => {
    const observations = objects(answers[place]?.['observations']).map(observation).filter((each) => each !== null);
    return { field, style: style.id, observations };
  });
}

/** Clear share of the box around the fields, by scene; empty where no archive tells. */
async function fetchClear({ collection, fields, from, to }: Wanted, signal: AbortSignal): Promise<Map<string, number>> {
  const box = boxOf(fields);
  const views = box ? await fetchViews(collection, box, { from: from ?? null, to: to ?? null }, signal) : new Map<string, View>();
  return new Map([...views].flatMap(([item, { clear }]) => (clear === null ? [] : [[item, clear / 100] as const])));
}

/** Curves of every field in every style, in this order, cloud told where the archives know it. */
export async function fetchCurves(wanted: Wanted, signal: AbortSignal, told: (done: number, all: number) => void): Promise<Curve[]> {
  const clear = fetchClear(wanted, signal);
  clear.catch(() => undefined); // told below, once the curves are there
  const byStyle: Curve[][] = [];
  for (const style of wanted.styles) {
    told(byStyle.length, wanted.styles.length);
    byStyle.push(await fetchSeries(wanted, style, signal));
  }
  const curves = wanted.fields.flatMap((_, place) => byStyle.flatMap((each) => each[place] ?? []));
  const shares = await clear;
  const marked = (each: Observation): Observation => ({ ...each, clear: each.clear ?? shares.get(each.item) ?? null });
  return curves.map((curve) => ({ ...curve, observations: curve.observations.map(marked) }));
}
