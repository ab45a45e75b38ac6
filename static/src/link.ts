/** The address bar: position, layer, style and opacity live in the fragment, so that a view can be shared. */
import { PIXELS, type Layer } from './api';
import { languageOfLink } from './language';
import type { Projection } from './store';

export interface Camera {
  zoom: number;
  lat: number;
  lon: number;
}

export interface Link {
  camera: Camera | null;
  layer: Layer | null;
  style: string | null;
  opacity: number;
  projection: Projection;
  /** What the tools keep in the link, under names of their own. */
  extras: ReadonlyMap<string, string>;
}

/** Parameters that are the viewer's; every other one belongs to a tool. */
const OWN = new Set(['map', 'collection', 'item', 'mosaic', 'pixels', 'style', 'opacity', 'projection', 'lang']);
const LONGEST_EXTRA = 4000;

const DAY = /^\d{4}-\d{2}-\d{2}$/;

export function formatLink(link: Link): string {
  const parts = new URLSearchParams();
  if (link.camera) {
    const { zoom, lat, lon } = link.camera;
    parts.set('map', `${zoom.toFixed(2)}/${lat.toFixed(5)}/${lon.toFixed(5)}`);
  }
  if (link.layer) {
    parts.set('collection', link.layer.collection);
    if ('item' in link.layer) parts.set('item', link.layer.item);
    else {
      const { from, until, pixels } = link.layer;
      parts.set('mosaic', from ? `${from}/${until ?? 'newest'}` : (until ?? 'newest'));
      if (pixels) parts.set('pixels', pixels);
    }
  }
  if (link.style) parts.set('style', link.style);
  if (link.opacity < 1) parts.set('opacity', link.opacity.toFixed(2));
  if (link.projection === 'globe') parts.set('projection', 'globe');
  if (languageOfLink) parts.set('lang', languageOfLink);
  for (const [name, value] of link.extras) parts.set(name, value);
  return `#${parts.toString().replaceAll('%2F', '/').replaceAll('%2C', ',')}`;
}

function parseCamera(value: string | null): Camera | null {
  const [zoom = NaN, lat = NaN, lon = NaN] = (value ?? '').split('/').map(Number);
  const valid = zoom >= 0 && zoom <= 24 && Math.abs(lat) <= 90 && Math.abs(lon) <= 360;
  return value && valid ? { zoom, lat, lon } : null;
}

function parseLayer(parts: URLSearchParams): Layer | null {
  const collection = parts.get('collection');
  const item = parts.get('item');
  const mosaic = parts.get('mosaic');
  if (!collection) return null;
  if (item) return { collection, item };
  if (!mosaic) return null;
  const [first = '', second] = mosaic.split('/');
  const [from, until] = second === undefined ? ['', first] : [first, second];
  const pixels = PIXELS.find((each) => each === parts.get('pixels'));
  return { collection, until: DAY.test(until) ? until : null, ...(DAY.test(from) && { from }), ...(pixels && { pixels }) };
}

/** Reads a fragment that anybody may have typed: what makes no sense is left out. */
export function parseLink(fragment: string): Link {
  const parts = new URLSearchParams(fragment.replace(/^#/, ''));
  const opacity = Number(parts.get('opacity') ?? 1);
  return {
    camera: parseCamera(parts.get('map')),
    layer: parseLayer(parts),
    style: parts.get('style'),
    opacity: opacity >= 0 && opacity <= 1 ? opacity : 1,
    projection: parts.get('projection') === 'globe' ? 'globe' : 'mercator',
    extras: new Map([...parts].filter(([name, value]) => !OWN.has(name) && value.length <= LONGEST_EXTRA)),
  };
}

/** `lon,lat` as a link keeps a pixel; null for what is no place. */
export function parsePlace(value: string | undefined): [number, number] | null {
  const [lon = NaN, lat = NaN, ...rest] = (value ?? '').split(',').map(Number);
  return value && rest.length === 0 && Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? [lon, lat] : null;
}
