/** Meridians and parallels at a step that suits the zoom, only as far as the view reaches. */
import type { Feature, FeatureCollection, LineString } from 'geojson';
import type { LayerSpecification } from 'maplibre-gl';

import type { BBox } from '../geo';
import type { Palette } from './theme';

/** Degrees; from about four to about ten lines on a screen. */
const STEPS: [zoom: number, degrees: number][] = [
  [2.2, 30],
  [3.6, 10],
  [5, 5],
  [6.5, 2],
  [7.6, 1],
  [8.6, 0.5],
  [9.9, 0.2],
  [11, 0.1],
  [12, 0.05],
  [13.4, 0.02],
];
const FINEST = 0.01;
/** Lines are bent on a globe: a vertex at least every this many degrees. */
const VERTEX_EVERY = 2;
const POLE = 85;

export function stepAt(zoom: number): number {
  return STEPS.find(([limit]) => zoom < limit)?.[1] ?? FINEST;
}

function label(value: number, step: number, positive: string, negative: string): string {
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
  const rounded = Math.abs(value).toFixed(digits);
  return Number(rounded) === 0 ? '0°' : `${rounded}° ${value < 0 ? negative : positive}`;
}

function spread(from: number, to: number): number[] {
  const pieces = Math.max(1, Math.ceil((to - from) / VERTEX_EVERY));
  return Array.from({ length: pieces + 1 }, (_, i) => from + ((to - from) * i) / pieces);
}

const line = (text: string, coordinates: [number, number][]): Feature<LineString> => ({
  type: 'Feature',
  properties: { label: text },
  geometry: { type: 'LineString', coordinates },
});

/** Lines over a view, or over the whole world when the step is coarse (a globe shows half of it anyway). */
export function graticule(view: BBox, step: number): FeatureCollection<LineString> {
  const whole = step >= 10;
  const [west, south, east, north] = whole ? [-180, -POLE, 180, POLE] : view;
  const first = (low: number): number => Math.ceil(low / step - 1e-9);
  const last = (high: number): number => Math.floor(high / step + 1e-9);
  const bottom = Math.max(-POLE, whole ? south : south - step);
  const top = Math.min(POLE, whole ? north : north + step);
  const left = whole ? west : west - step;
  const right = whole ? east : east + step;
  const features: Feature<LineString>[] = [];
  for (let i = first(left); i <= last(right); i++) {
    const lon = i * step;
    if (whole && i === last(right)) continue; // 180° E is 180° W
    const wrapped = ((((lon + 180) % 360) + 360) % 360) - 180;
    features.push(line(label(wrapped, step, 'E', 'W'), spread(bottom, top).map((lat) => [lon, lat])));
  }
  for (let i = first(bottom); i <= last(top); i++) {
    const lat = i * step;
    features.push(line(label(lat, step, 'N', 'S'), spread(left, right).map((lon) => [lon, lat])));
  }
  return { type: 'FeatureCollection', features };
}

/** The lowest layer that lies over land, and over a basemap. */
export const LOWEST_OVER_LAND = 'graticule';

export function graticuleLayers(palette: Palette): LayerSpecification[] {
  return [
    {
      id: LOWEST_OVER_LAND,
      type: 'line',
      source: 'graticule',
      paint: { 'line-color': palette.graticule, 'line-width': 0.7 },
    },
  ];
}

export function graticuleLabels(palette: Palette): LayerSpecification[] {
  return [
    {
      id: 'graticule-label',
      type: 'symbol',
      source: 'graticule',
      layout: {
        'symbol-placement': 'line',
        'symbol-spacing': 420,
        'text-field': ['get', 'label'],
        'text-font': ['system-ui'],
        'text-size': 10.5,
        'text-padding': 12,
      },
      paint: { 'text-color': palette.label, 'text-halo-color': palette.halo, 'text-halo-width': 1.4, 'text-opacity': 0.85 },
    },
  ];
}
