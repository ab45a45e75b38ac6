/** Files to take away, and addresses for other programs: what the tool asks the server for. */
import { fetchJson, layerPath, number, text, url, interval, type Layer } from '../../api';
import type { BBox } from '../../geo';

export type FileFormat = 'tif' | 'kmz';
/** What the numbers of a GeoTIFF are. */
export type Content = 'stored' | 'physical' | 'style';

export interface Order {
  format: FileFormat;
  area: BBox | null;
  content: Content;
  /** Names with commas between them; empty is all of them. */
  bands: string;
  style: string | null;
}

export interface Estimate {
  bytes: number;
  /** Pixels of a GeoTIFF. */
  width: number | null;
  height: number | null;
  bands: number | null;
  /** Of a KMZ. */
  pictures: number | null;
  /** Whether it takes more than a few seconds. */
  job: boolean;
}

export interface Job {
  address: string;
  status: string;
  progress: number;
  message: string;
  bytes: number | null;
}

export interface Address {
  id: 'wmts' | 'xyz' | 'tilejson' | 'stac' | 'kml' | 'series';
  title: string;
  value: string;
}

export type Scene = { collection: string; item: string };

/** Parameters of a request for a file, as the server names them. */
export function parameters({ format, content, bands, style }: Order): Record<string, string> {
  if (format === 'kmz' || content === 'style') return style ? { style } : {};
  const names = bands.replaceAll(/\s+/g, '');
  return { ...(names ? { bands: names } : {}), ...(content === 'physical' ? { unscale: 'true' } : {}) };
}

const body = (order: Order): string => JSON.stringify({ format: order.format, ...(order.area ? { bbox: order.area } : {}), ...parameters(order) });

const post = (order: Order, signal?: AbortSignal): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
  body: body(order),
  signal: signal ?? null,
});

export async function estimate(scene: Scene, order: Order, signal: AbortSignal): Promise<Estimate> {
  const answer = await fetchJson(url(`${layerPath(scene)}/extracts/estimate`), signal, post(order, signal));
  return {
    bytes: number(answer['bytes']) ?? 0,
    width: number(answer['width']),
    height: number(answer['height']),
    bands: number(answer['bands']),
    pictures: number(answer['pictures']),
    job: answer['job'] === true,
  };
}

function parseJob(answer: Record<string, unknown>): Job {
  return {
    address: url(`jobs/${encodeURIComponent(text(answer['jobID']) ?? '')}`).href,
    status: text(answer['status']) ?? 'failed',
    progress: number(answer['progress']) ?? 0,
    message: text(answer['message']) ?? '',
    bytes: number(answer['bytes']),
  };
}

export const startJob = async (scene: Scene, order: Order): Promise<Job> =>
  parseJob(await fetchJson(url(`${layerPath(scene)}/extracts`), undefined, post(order)));

export const jobStatus = async (job: Job): Promise<Job> => parseJob(await fetchJson(job.address));

export async function stopJob(job: Job): Promise<void> {
  await fetchJson(job.address, undefined, { method: 'DELETE', keepalive: true });
}

export const resultAddress = (job: Job): string => `${job.address}/result`;

/** A file that is made while it is waited for. */
export function directAddress(scene: Scene, order: Order, whole: BBox): string {
  const target = url(`${layerPath(scene)}/bbox/${(order.area ?? whole).join(',')}.${order.format}`);
  for (const [name, value] of Object.entries(parameters(order))) target.searchParams.set(name, value);
  return target.href;
}

/** All dates of a collection over an area, as one file. */
export function seriesAddress(layer: { collection: string; until: string | null }, style: string | null, area: BBox): string {
  return withQuery(`collections/${encodeURIComponent(layer.collection)}/bbox/${area.join(',')}.kmz`, {
    style,
    datetime: interval(null, layer.until),
  });
}

function withQuery(path: string, query: Record<string, string | null>): string {
  const target = url(path);
  for (const [name, value] of Object.entries(query)) if (value) target.searchParams.set(name, value);
  return target.href;
}

/** Addresses of what the map shows, for other programs. */
export function addresses(layer: Layer, style: string | null): Address[] {
  const path = layerPath(layer);
  const collection = encodeURIComponent(layer.collection);
  const datetime = 'until' in layer && layer.until ? interval(null, layer.until) : null;
  const query = new URLSearchParams(Object.entries({ style, datetime }).filter((entry): entry is [string, string] => entry[1] !== null)).toString();
  const stac = `stac/collections/${collection}`;
  return [
    {
      id: 'wmts', title: 'WMTS',
      value: url('wmts?service=WMTS&request=GetCapabilities&version=1.0.0').href,
    },
    {
      id: 'xyz', title: 'XYZ tiles',
      value: `${url(path).href}/tiles/WebMercatorQuad/{z}/{x}/{y}.png${query ? `?${query}` : ''}`,
    },
    {
      id: 'tilejson', title: 'TileJSON',
      value: withQuery(`${path}/tilejson.json`, { style, datetime }),
    },
    {
      id: 'stac', title: 'STAC',
      value: url('item' in layer ? `${stac}/items/${encodeURIComponent(layer.item)}` : stac).href,
    },
    {
      id: 'kml', title: 'Google Earth',
      value: withQuery(`${path}/overlay.kml`, { style, datetime }),
    },
    {
      id: 'series', title: 'Google Earth, all dates',
      value: withQuery(`collections/${collection}/series.kml`, { style, datetime }),
    },
  ];
}
