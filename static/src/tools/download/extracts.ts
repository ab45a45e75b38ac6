/** Files to take away, and addresses for other programs: what the tool asks the server for. */
import { fetchJson, layerPath, layerQuery, number, text, url, valueQuery, withQuery, withRendering, type Layer, type Mosaic, type Style } from '../../api';
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
  /** What is shown, and what it is requested by. */
  style: Style | null;
  rendering: Readonly<Record<string, string>>;
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

type Query = Readonly<Record<string, string>>;
export type Scene = { collection: string; item: string };

/** Parameters of a request for a file, as the server names them. */
export function parameters({ format, content, bands, style, rendering }: Order): Record<string, string> {
  if (format === 'kmz') return { ...rendering };
  if (content === 'style') return style ? valueQuery(style) : {};
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
  return withQuery(url(`${layerPath(scene)}/bbox/${(order.area ?? whole).join(',')}.${order.format}`), parameters(order)).href;
}

/** All dates of a collection over an area, as one file. */
export const seriesAddress = (layer: Mosaic, rendering: Query, area: BBox): string =>
  withQuery(url(`${layerPath(layer)}/bbox/${area.join(',')}.kmz`), { ...rendering, ...datesOf(layer) }).href;

/** Numbers of a mosaic over an area. */
export const mosaicAddress = (layer: Mosaic, style: Style | null, area: BBox): string =>
  withQuery(url(`${layerPath(layer)}/bbox/${area.join(',')}.tif`), { ...(style ? valueQuery(style) : {}), ...layerQuery(layer) }).href;

/** The period of a layer, without which of its pixels: each date is a picture of its own. */
function datesOf(layer: Layer): Query {
  const { datetime } = layerQuery(layer);
  return datetime ? { datetime } : {};
}

/** Addresses of what the map shows, for other programs. */
export function addresses(layer: Layer, rendering: Query): Address[] {
  const path = layerPath(layer);
  const collection = encodeURIComponent(layer.collection);
  const query = { ...rendering, ...layerQuery(layer) };
  const pictures = { ...rendering, ...datesOf(layer) };
  const stac = `stac/collections/${collection}`;
  const tiles = withRendering(`${url(path).href}/tiles/WebMercatorQuad/{z}/{x}/{y}.png`, query);
  return [
    { id: 'wmts', title: 'WMTS', value: url('wmts?service=WMTS&request=GetCapabilities&version=1.0.0').href },
    { id: 'xyz', title: 'XYZ tiles', value: tiles },
    { id: 'tilejson', title: 'TileJSON', value: withQuery(url(`${path}/tilejson.json`), query).href },
    { id: 'stac', title: 'STAC', value: url('item' in layer ? `${stac}/items/${encodeURIComponent(layer.item)}` : stac).href },
    { id: 'kml', title: 'Google Earth', value: withQuery(url(`${path}/overlay.kml`), pictures).href },
    { id: 'series', title: 'Google Earth, all dates', value: withQuery(url(`collections/${collection}/series.kml`), pictures).href },
  ];
}
