/** Land, borders and country names: the vector tiles that the build cut from Natural Earth (see outlines.mjs). */
import { addProtocol, type LayerSpecification, type SourceSpecification } from 'maplibre-gl';

import { exists } from './presence';
import type { Palette } from './theme';

declare const OUTLINES: { base: string; maxZoom: number; present: string };

/**
 * Fetches tiles on the page's own thread. MapLibre's workers would do it too, but what they receive doesn't appear
 * in the page's resource timing, and the count of bytes would be wrong.
 */
export function registerOutlines(): SourceSpecification {
  addProtocol('outlines', async ({ url }, { signal }) => {
    const [z = 0, x = 0, y = 0] = url.replace('outlines://', '').split('/').map(Number);
    if (!exists(OUTLINES.present, z, x, y)) return { data: new ArrayBuffer(0) };
    const response = await fetch(new URL(`${OUTLINES.base}/${z}/${x}/${y}.pbf`, document.baseURI), { signal });
    if (!response.ok) throw new Error(`The outline tile ${z}/${x}/${y} is missing on the server.`);
    return { data: await response.arrayBuffer() };
  });
  return { type: 'vector', tiles: ['outlines://{z}/{x}/{y}'], maxzoom: OUTLINES.maxZoom };
}

const from = (layer: string): { source: 'outlines'; 'source-layer': string } => ({ source: 'outlines', 'source-layer': layer });

export function landLayers(palette: Palette): LayerSpecification[] {
  return [
    { id: 'water', type: 'background', paint: { 'background-color': palette.water } },
    { id: 'land', type: 'fill', ...from('land'), paint: { 'fill-color': palette.land, 'fill-antialias': false } },
  ];
}

/** Natural Earth at 1:50 million is a kilometre or two off: close in, its lines step back. */
const FADE: [number, number][] = [
  [7, 1],
  [10, 0.35],
];

export function lineLayers(palette: Palette): LayerSpecification[] {
  const opacity: LayerSpecification['paint'] & object = {
    'line-opacity': ['interpolate', ['linear'], ['zoom'], ...FADE.flat()] as never,
  };
  return [
    {
      id: 'border',
      type: 'line',
      ...from('border'),
      paint: { ...opacity, 'line-color': palette.border, 'line-width': 0.8 },
    },
    {
      id: 'coast',
      type: 'line',
      ...from('coast'),
      paint: { ...opacity, 'line-color': palette.coast, 'line-width': 1 },
    },
  ];
}

/** Names of the larger countries first; the small ones from the zoom at which there is room. */
export function nameLayers(palette: Palette): LayerSpecification[] {
  return [
    {
      id: 'name',
      type: 'symbol',
      ...from('name'),
      minzoom: 1.5,
      maxzoom: 8,
      filter: ['<=', ['get', 'rank'], ['step', ['zoom'], 0, 2.5, 1, 3.5, 2, 4.5, 3, 6.5, 4]],
      layout: {
        'text-field': ['get', 'name'],
        'text-font': ['system-ui'],
        'text-size': ['interpolate', ['linear'], ['zoom'], 2, 10.5, 6, 13],
        'text-max-width': 8,
        'text-letter-spacing': 0.04,
        'symbol-sort-key': ['get', 'rank'],
      },
      paint: { 'text-color': palette.label, 'text-halo-color': palette.halo, 'text-halo-width': 1.2 },
    },
  ];
}
