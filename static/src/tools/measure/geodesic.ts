/** Lengths and areas on the ellipsoid (WGS 84), by GeographicLib: C. F. F. Karney, Algorithms for geodesics, 2013. */
import type { Position } from 'geojson';
import { Geodesic } from 'geographiclib-geodesic';

const { WGS84 } = Geodesic;

/** In metres, along geodesics from point to point (longitude, latitude in degrees). */
export function lengthOf(points: readonly Position[]): number {
  return points.slice(1).reduce((sum, [lon = NaN, lat = NaN], index) => {
    const [lon0 = NaN, lat0 = NaN] = points[index] ?? [];
    return sum + (WGS84.Inverse(lat0, lon0, lat, lon).s12 ?? NaN);
  }, 0);
}

/** In square metres, of the ring through these points, whichever way round; the first need not be repeated. */
export function areaOf(ring: readonly Position[]): number {
  const polygon = WGS84.Polygon(false);
  for (const [lon = NaN, lat = NaN] of ring) polygon.AddPoint(lat, lon);
  return Math.abs(polygon.Compute(false, true).area ?? NaN);
}

export interface Quantity {
  value: number;
  unit: 'm' | 'km' | 'm2' | 'ha' | 'km2';
}

/** Three significant digits, as far as a map is worth them. */
const rounded = (value: number): number => Number(value.toPrecision(value >= 1000 ? 4 : 3));

export const inMetres = (metres: number): Quantity =>
  metres < 1000 ? { value: rounded(metres), unit: 'm' } : { value: rounded(metres / 1000), unit: 'km' };

/** Fields are told in hectares, gardens in square metres, counties in square kilometres. */
export function inArea(squareMetres: number): Quantity {
  if (squareMetres < 10_000) return { value: rounded(squareMetres), unit: 'm2' };
  if (squareMetres < 1e7) return { value: rounded(squareMetres / 10_000), unit: 'ha' };
  return { value: rounded(squareMetres / 1e6), unit: 'km2' };
}
