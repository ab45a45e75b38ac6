/** What a curve is of, as the link has it: `ndvi*ndwi*8.5_47.3` of a pixel, `ndvi*8.5_47.3_8.6_47.3_8.6_47.4` of a field. */
import type { Position } from 'geojson';

import type { Field, Shape } from './fields';

export interface Place {
  styles: string[];
  fields: Shape[];
}

/** Corners of a field that a link can carry. */
const MOST_CORNERS = 100;
const DIGITS = 5;

/** Null where a link can't carry it: several fields, or one of many corners. */
export function formatPlace(styles: readonly string[], fields: readonly Field[]): string | null {
  const [only] = fields;
  if (!only || fields.length > 1 || only.geometry.type === 'MultiPolygon') return null;
  const { geometry } = only;
  if (geometry.type === 'Polygon' && geometry.coordinates.length > 1) return null;
  const places: Position[] = geometry.type === 'Point' ? [geometry.coordinates] : (geometry.coordinates[0]?.slice(0, -1) ?? []);
  if (places.length > MOST_CORNERS) return null;
  const coordinates = places.flat().map((value) => Number(value.toFixed(DIGITS))).join('_');
  return [...styles, coordinates].join('*');
}

/** Reads what anybody may have typed; null if it makes no sense. */
export function parsePlace(text: string): Place | null {
  const styles = text.split('*');
  const coordinates = styles.pop() ?? '';
  const numbers = coordinates.split('_').map((value) => (value === '' ? NaN : Number(value)));
  const places: Position[] = [];
  for (let index = 0; index + 1 < numbers.length; index += 2) places.push([numbers[index] ?? NaN, numbers[index + 1] ?? NaN]);
  const valid = numbers.length % 2 === 0 && places.length <= MOST_CORNERS && places.every(([x = NaN, y = NaN]) => Math.abs(x) <= 180 && Math.abs(y) <= 90);
  const [first] = places;
  if (!valid || !first || places.length === 2) return null;
  const shape: Shape = places.length === 1 ? { type: 'Point', coordinates: first } : { type: 'Polygon', coordinates: [[...places, first]] };
  return { styles: styles.filter(Boolean), fields: [shape] };
}
