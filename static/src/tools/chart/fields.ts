/** Fields that people bring along: GeoJSON and what other formats become, as areas and points in degrees. */
import type { Feature, GeoJSON, Geometry, MultiPolygon, Point, Polygon, Position } from 'geojson';

import type { Key } from './words';

export type Shape = Point | Polygon | MultiPolygon;

export interface Field {
  name: string;
  geometry: Shape;
}

/** A file that can't be used: `reason` is a key of this tool's words, `values` its placeholders. */
export class FieldError extends Error {
  constructor(
    readonly reason: Key,
    readonly values: Readonly<Record<string, string | number>> = {},
  ) {
    super(reason);
    this.name = 'FieldError';
  }
}

/** Fields of one file; the server answers for as many at once. */
export const MOST_FIELDS = 500;
const NAMES = ['name', 'Name', 'NAME', 'nom', 'Nom', 'nome', 'nombre', 'title', 'id', 'ID', 'fid'];
/** A walk around a field ends near where it began: gap between its ends, as a share of its extent. */
const NEARLY_CLOSED = 0.25;

function featuresOf(document: GeoJSON): Feature[] {
  if (document.type === 'FeatureCollection') return document.features;
  if (document.type === 'Feature') return [document];
  return [{ type: 'Feature', properties: {}, geometry: document }];
}

/** An area that a line goes around; null for one that leads elsewhere. */
export function areaAround(line: readonly Position[]): Polygon | null {
  const [first, last] = [line[0], line[line.length - 1]];
  if (!first || !last || line.length < 4) return null;
  const side = (axis: 0 | 1): number => {
    let [low, high] = [Infinity, -Infinity]; // a track has more places than a function takes arguments
    for (const place of line) [low, high] = [Math.min(low, place[axis] ?? NaN), Math.max(high, place[axis] ?? NaN)];
    return high - low;
  };
  const gap = Math.hypot((first[0] ?? 0) - (last[0] ?? 0), (first[1] ?? 0) - (last[1] ?? 0));
  if (!(gap <= NEARLY_CLOSED * Math.max(side(0), side(1)))) return null;
  const ring = gap > 0 ? [...line, first] : [...line];
  return { type: 'Polygon', coordinates: [ring.map(([x = NaN, y = NaN]) => [x, y])] };
}

function shapesOf(geometry: Geometry | null): Shape[] {
  switch (geometry?.type) {
    case 'Point':
    case 'Polygon':
    case 'MultiPolygon':
      return [geometry];
    case 'MultiPoint':
      return geometry.coordinates.map((coordinates) => ({ type: 'Point', coordinates }));
    case 'LineString':
      return [areaAround(geometry.coordinates)].filter((area) => area !== null);
    case 'MultiLineString':
      return geometry.coordinates.map(areaAround).filter((area) => area !== null);
    case 'GeometryCollection':
      return geometry.geometries.flatMap(shapesOf);
    default:
      return [];
  }
}

/** Positions of a shape, one after the other. */
export function positionsOf(shape: Shape): Position[] {
  if (shape.type === 'Point') return [shape.coordinates];
  return shape.type === 'Polygon' ? shape.coordinates.flat() : shape.coordinates.flat(2);
}

const onEarth = ([x, y]: Position): boolean => Math.abs(x ?? NaN) <= 180 && Math.abs(y ?? NaN) <= 90;

function nameOf(properties: Feature['properties'], number: number, count: number): string {
  const named = NAMES.map((key) => properties?.[key] as unknown).find((value) => ['string', 'number'].includes(typeof value) && value !== '');
  return named === undefined ? (count > 1 ? `${number + 1}` : '') : String(named).slice(0, 60);
}

/** Heights are left out: the server wants positions of two numbers. */
function flat(shape: Shape): Shape {
  const two = ([x = NaN, y = NaN]: Position): Position => [x, y];
  if (shape.type === 'Point') return { type: 'Point', coordinates: two(shape.coordinates) };
  if (shape.type === 'Polygon') return { type: 'Polygon', coordinates: shape.coordinates.map((ring) => ring.map(two)) };
  return { type: 'MultiPolygon', coordinates: shape.coordinates.map((rings) => rings.map((ring) => ring.map(two))) };
}

/**
 * Fields of a GeoJSON document, in degrees.
 *
 * Raises a FieldError if there are none, too many, or positions that are no degrees.
 */
export function fieldsOf(document: GeoJSON): Field[] {
  const found = featuresOf(document).flatMap(({ geometry, properties }) =>
    shapesOf(geometry).map((shape) => ({ geometry: flat(shape), properties })),
  );
  if (found.length === 0) throw new FieldError('no-fields');
  if (found.length > MOST_FIELDS) throw new FieldError('too-many-fields', { count: found.length, most: MOST_FIELDS });
  if (!found.every(({ geometry }) => positionsOf(geometry).every(onEarth))) throw new FieldError('not-degrees');
  return found.map(({ geometry, properties }, number) => ({ geometry, name: nameOf(properties, number, found.length) }));
}
