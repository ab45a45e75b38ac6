/**
 * The reference map: land under the imagery; coast, borders, rivers and names over it. Vector tiles of Natural Earth
 * that the build put into one PMTiles file (see reference/), read by ranges. Glyphs are drawn from the system's fonts.
 */
import { addProtocol, type ExpressionSpecification, type LayerSpecification, type SourceSpecification } from 'maplibre-gl';
import { FetchSource, PMTiles, type RangeResponse, type Source } from 'pmtiles';

import { language } from '../language';
import type { Palette } from './theme';

/** Where the file lies, how many of its first bytes hold header and directory, and its last level. */
declare const REFERENCE: { file: string; head: number; maxZoom: number };

/** The library reads 16 KiB first; the build knows how few of them are needed. */
class ShortHead implements Source {
  readonly #file: FetchSource;

  constructor(address: string) {
    this.#file = new FetchSource(address);
  }

  getKey(): string {
    return this.#file.getKey();
  }

  getBytes(offset: number, length: number, signal?: AbortSignal, etag?: string): Promise<RangeResponse> {
    return this.#file.getBytes(offset, offset === 0 ? Math.min(length, REFERENCE.head) : length, signal, etag);
  }
}

/**
 * Fetches tiles on the page's own thread. MapLibre's workers would do it too, but what they receive doesn't appear
 * in the page's resource timing, and the count of bytes would be wrong.
 */
export function registerReference(): SourceSpecification {
  const archive = new PMTiles(new ShortHead(new URL(REFERENCE.file, document.baseURI).href));
  addProtocol('reference', async ({ url }, { signal }) => {
    const [z = 0, x = 0, y = 0] = url.replace('reference://', '').split('/').map(Number);
    const tile = await archive.getZxy(z, x, y, signal);
    return { data: tile?.data ?? new ArrayBuffer(0) };
  });
  return { type: 'vector', tiles: ['reference://{z}/{x}/{y}'], maxzoom: REFERENCE.maxZoom };
}

const from = (layer: string): { source: 'reference'; 'source-layer': string } => ({ source: 'reference', 'source-layer': layer });

/** The lowest layer that lies over the imagery. */
export const LOWEST_OVER_IMAGERY = 'reference-province';

export function landLayers(palette: Palette): LayerSpecification[] {
  return [
    { id: 'water', type: 'background', paint: { 'background-color': palette.water } },
    { id: 'reference-land', type: 'fill', ...from('land'), paint: { 'fill-color': palette.land, 'fill-antialias': false } },
  ];
}

/** Natural Earth at 1:10 million is some hundred metres off: close in, its lines step back. */
const FADE: ExpressionSpecification = ['interpolate', ['linear'], ['zoom'], 9, 1, 12, 0.3, 15, 0];

function line(layer: string, color: string, width: number, more: object = {}, id = layer): LayerSpecification {
  const paint = { 'line-color': color, 'line-width': width, 'line-opacity': FADE, ...more };
  return { id: `reference-${id}`, type: 'line', ...from(layer), paint, layout: { 'line-join': 'round' } };
}

export function lineLayers(palette: Palette): LayerSpecification[] {
  const disputed = (yes: boolean): ExpressionSpecification => (yes ? ['has', 'disputed'] : ['!', ['has', 'disputed']]);
  return [
    line('province', palette.border, 0.7, { 'line-dasharray': [3, 2] }),
    line('river', palette.coast, 0.7),
    line('coast', palette.coast, 1),
    { ...line('border', palette.border, 1.2), filter: disputed(false) } as LayerSpecification,
    { ...line('border', palette.border, 1.2, { 'line-dasharray': [2, 2] }, 'disputed'), filter: disputed(true) } as LayerSpecification,
  ];
}

const NAME: ExpressionSpecification = ['coalesce', ['get', `name_${language}`], ['get', 'name']];
/** Ranks that have room at a zoom, for places (Natural Earth's scale ranks) and for countries (by their size). */
const PLACE_RANK: ExpressionSpecification = ['step', ['zoom'], -1, 2.6, 0, 3.4, 1, 4.2, 2, 5, 4, 6, 6, 7, 7, 8, 10];
const COUNTRY_RANK: ExpressionSpecification = ['step', ['zoom'], 0, 2.5, 1, 3.5, 2, 4.5, 3, 6.5, 4];

function names(id: string, layer: string, palette: Palette, { layout, ...more }: { layout: object; [key: string]: unknown }): LayerSpecification {
  return {
    id: `reference-name-${id}`,
    type: 'symbol',
    ...from(layer),
    ...more,
    layout: {
      'text-field': NAME,
      'text-font': ['system-ui'],
      // Arabic names come in the order in which they are drawn: broken into lines, the last words would come first
      'text-max-width': language === 'ar' ? 100 : 8,
      ...layout,
    },
    paint: { 'text-color': palette.label, 'text-halo-color': palette.halo, 'text-halo-width': 1.3 },
  } as LayerSpecification;
}

export function nameLayers(palette: Palette): LayerSpecification[] {
  const ranked = { 'symbol-sort-key': ['get', 'rank'] };
  const size = (...stops: number[]): object => ({ 'text-size': ['interpolate', ['linear'], ['zoom'], ...stops] });
  const dot: LayerSpecification = {
    id: 'reference-town',
    type: 'circle',
    ...from('place'),
    filter: ['<=', ['get', 'rank'], PLACE_RANK],
    paint: {
      'circle-radius': ['case', ['has', 'capital'], 3, 2.2],
      'circle-color': palette.label,
      'circle-stroke-color': palette.halo,
      'circle-stroke-width': 1.2,
      // close in, the place is all around, and a dot says more than is known
      'circle-opacity': ['interpolate', ['linear'], ['zoom'], 10, 1, 12, 0],
      'circle-stroke-opacity': ['interpolate', ['linear'], ['zoom'], 10, 1, 12, 0],
    },
  };
  const beside = { 'text-variable-anchor': ['bottom', 'top', 'left', 'right'], 'text-radial-offset': 0.45, 'text-padding': 3 };
  return [
    names('river', 'river', palette, {
      minzoom: 6,
      layout: { 'symbol-placement': 'line', 'symbol-spacing': 380, 'text-max-angle': 30, 'text-letter-spacing': 0.05, 'text-size': 10.5 },
    }),
    names('lake', 'lake', palette, { layout: { 'text-size': 10.5, 'text-letter-spacing': 0.05 } }),
    dot,
    names('place', 'place', palette, {
      filter: ['<=', ['get', 'rank'], PLACE_RANK],
      layout: { ...ranked, ...beside, ...size(3, 10.5, 8, 13), 'text-justify': 'auto' },
    }),
    names('country', 'country', palette, {
      minzoom: 1.5,
      maxzoom: 8,
      filter: ['<=', ['get', 'rank'], COUNTRY_RANK],
      layout: { ...ranked, ...size(2, 11, 6, 15), 'text-letter-spacing': language === 'ar' ? 0 : 0.06 },
    }),
  ];
}
