/** Outlines of the scenes found, and dots where an outline is too small to see. */
import type { FeatureCollection, MultiPolygon, Point, Polygon } from 'geojson';
import type { ExpressionSpecification, GeoJSONSource, LayerSpecification, Map as MapLibre } from 'maplibre-gl';

import type { Item } from '../api';
import { centreOf } from '../geo';
import type { Palette } from './theme';

export const FOOTPRINT_LAYERS = ['footprint-area', 'footprint-dot'];

const state = (name: string): ExpressionSpecification => ['boolean', ['feature-state', name], false];
const emphasis = (hovered: number, selected: number, plain: number): ExpressionSpecification => [
  'case',
  state('hovered'),
  hovered,
  state('selected'),
  selected,
  plain,
];

export function footprintLayers(palette: Palette): LayerSpecification[] {
  const dots: ExpressionSpecification = ['interpolate', ['linear'], ['zoom'], 5, 1, 7, 0];
  return [
    {
      id: 'footprint-area',
      type: 'fill',
      source: 'footprints',
      paint: { 'fill-color': palette.outline, 'fill-opacity': ['case', state('selected'), 0, state('hovered'), 0.2, 0] },
    },
    {
      id: 'footprint-casing',
      type: 'line',
      source: 'footprints',
      paint: {
        'line-color': palette.casing,
        'line-width': emphasis(5, 4.5, 2.5),
        'line-opacity': emphasis(0.9, 0.8, 0.45),
      },
    },
    {
      id: 'footprint-line',
      type: 'line',
      source: 'footprints',
      paint: { 'line-color': palette.outline, 'line-width': emphasis(2.5, 2, 1), 'line-opacity': emphasis(1, 1, 0.8) },
    },
    {
      id: 'footprint-dot',
      type: 'circle',
      source: 'places',
      maxzoom: 7,
      paint: {
        'circle-color': palette.outline,
        'circle-radius': emphasis(8, 6.5, 4.5),
        'circle-stroke-color': palette.casing,
        'circle-stroke-width': 1.5,
        'circle-opacity': dots,
        'circle-stroke-opacity': dots,
      },
    },
  ];
}

function areas(items: readonly Item[]): FeatureCollection<Polygon | MultiPolygon> {
  return {
    type: 'FeatureCollection',
    features: items.map(({ key, geometry }) => ({ type: 'Feature', properties: { key }, geometry })),
  };
}

function places(items: readonly Item[]): FeatureCollection<Point> {
  return {
    type: 'FeatureCollection',
    features: items.map(({ key, bbox }) => ({
      type: 'Feature',
      properties: { key },
      geometry: { type: 'Point', coordinates: centreOf(bbox) },
    })),
  };
}

export function setFootprints(map: MapLibre, items: readonly Item[]): void {
  map.getSource<GeoJSONSource>('footprints')?.setData(areas(items));
  map.getSource<GeoJSONSource>('places')?.setData(places(items));
}

/** Moves one mark ("hovered" or "selected") from a scene to another. */
export function mark(map: MapLibre, name: 'hovered' | 'selected', from: string | null, to: string | null): void {
  for (const source of ['footprints', 'places']) {
    if (from !== null) map.setFeatureState({ source, id: from }, { [name]: false });
    if (to !== null) map.setFeatureState({ source, id: to }, { [name]: true });
  }
}
