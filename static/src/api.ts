/** The server's HTTP interface. Everything that arrives is checked here, so that no other module meets a surprise. */
import type { MultiPolygon, Polygon } from 'geojson';

import { bboxOf, type BBox } from './geo';
import { bandInOurWords, loadServerWords } from './words/server';
import { t } from './words/shell';

export interface Collection {
  id: string;
  title: string;
}

export interface Item {
  /** `collection/id`: unique over the catalogue. */
  key: string;
  id: string;
  collection: string;
  datetime: Date;
  /** Whether even the day is known; where it is not, `datetime` is 1970. */
  dated: boolean;
  /** Whether the time of day is known, or only the day. */
  timed: boolean;
  bbox: BBox;
  geometry: Polygon | MultiPolygon;
  /** Percent, as STAC's `eo:cloud_cover`. */
  cloudCover: number | null;
  platform: string | null;
  /** What is here of a scene of which not all is; null where all is. */
  here: Here | null;
}

export interface Here {
  /** Of its bytes, 0 to 1. */
  share: number;
  /** What is here as a whole: `head` tells of the scene, `coarse` is its overview; others are areas. */
  layers: string[];
}

export interface ItemPage {
  items: Item[];
  matched: number | null;
  next: string | null;
}

export interface Legend {
  minimum: number;
  maximum: number;
  /** Of the values; empty where they have none. */
  unit: string;
  /** CSS colours at equal distances from minimum to maximum. */
  colors: string[];
}

/** From black to white. */
export type Range = [number, number];

export interface Style {
  id: string;
  title: string;
  description: string;
  /** The band, when the style is one band in grey. */
  band: string | null;
  /** Formulas over bands, as the server has them; empty where the style shows something else. */
  expression: string;
  /** The server's parameters that name it. */
  query: Readonly<Record<string, string>>;
  legend: Legend | null;
  /** Of each result the range that is shown in every scene; empty for classes. */
  rescale: Range[];
  /** Likewise by this scene's own percentiles; null where there are none, as of an index. */
  auto: Range[] | null;
  /** What has a colour of its own, where the style shows no range of values. */
  classes: StyleClass[];
}

export interface StyleClass {
  /** As documents and masks name it. */
  name: string;
  title: string;
  color: string;
}

export interface SceneInfo {
  codec: string;
  ratio: number;
  /** Bytes of all bands as 16-bit integers at native resolution. */
  rawBytes: number;
  archiveBytes: number;
  /** What compression has lost, where the archive tells. */
  fidelity: Fidelity | null;
  styles: Style[];
  bands: SceneBand[];
}

export interface SceneBand {
  name: string;
  /** For people: `near infrared`; may be empty. */
  title: string;
  /** Micrometres. */
  wavelength: number | null;
}

export const namesOf = (bands: readonly SceneBand[]): string[] => bands.map(({ name }) => name);

export interface Fidelity {
  /** Expected error of a pixel, in `unit`. */
  error: number;
  /** Of radar: expected error of the mean power of 8×8 pixels, in dB; null where the archive doesn't tell. */
  fieldError: number | null;
  unit: string;
  /** In a word: Very close, Close, Approximate, Coarse; empty where the unit has no such scale. */
  grade: string;
  meaning: string;
}

export interface TileSet {
  /** URL template with {z}, {x} and {y}. */
  template: string;
  bounds: BBox;
  minZoom: number;
  maxZoom: number;
  /** Credit line of the data; empty when none is due. */
  attribution: string;
}

export interface BandValue {
  name: string;
  /** For people: `near infrared`. */
  title: string;
  /** Nanometres. */
  wavelength: number | null;
  /** Digital number; null is nodata. */
  value: number | null;
  /** The value in `unit`. */
  physical: number | null;
  /** Expected error of `value` and of `physical`; null where the archive doesn't tell. */
  error: number | null;
  physicalError: number | null;
  /** Of radar: expected error of the mean power of 8×8 pixels, in dB. */
  fieldError: number | null;
  unit: string;
}

/** Of a pixel, one of the values that the style shows: an index has one, a composite three. */
export interface StyleValue {
  /** The expression, as the server writes it. */
  expression: string;
  /** Null is nodata. */
  value: number | null;
  /** Expected error; null where it is not known. */
  error: number | null;
}

export interface PointValues {
  bands: BandValue[];
  /** Empty where the style has no value of its own: the map of expected errors. */
  shown: StyleValue[];
  /** What the pixel came from; in a mosaic this is for the user to learn. */
  source: string | null;
}

export interface Basemap {
  tiles: string[];
  attribution: string;
  maxZoom: number;
}

/** Which pixels a mosaic is made of, as the server's `pixel_selection`; the newest valid ones where it says none. */
export const PIXELS = ['clear', 'median', 'mean', 'lowest', 'highest'] as const;
export type Pixels = (typeof PIXELS)[number];

/** The scenes of a collection over a period as one picture. Days, both included; null is open. */
export interface Mosaic {
  collection: string;
  until: string | null;
  from?: string;
  pixels?: Pixels;
}

/** One scene, or many as one picture. */
export type Layer = { collection: string; item: string } | Mosaic;

/**
 * A scene's coarsest level named by the server is the one that fills a tile. It is shown somewhat smaller, too: a
 * footprint with nothing in it looks like a failure.
 */
const COARSER = 3;

export type Json = Record<string, unknown>;

/** A failure in words that a user understands. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number | null,
    /** The server's bound that was passed, where it is for that that it refused. */
    readonly bound: string | null = null,
    /** What the server answered, where it did: problem+json. */
    readonly problem: unknown = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
export const objects = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
export const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
export const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

/** With a capital and a full stop, which servers leave out. */
const asSentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1).replace(/[.\s]+$/, '')}.`;

/** The sentence of a problem+json answer, or one that at least names the status. */
export function problemSentence(body: unknown, status: number): string {
  if (isObject(body)) {
    const sentence = text(body['detail']) ?? text(body['title']);
    if (sentence) return asSentence(sentence);
  }
  return t('status', { status: String(status) });
}

export const url = (path: string): URL => new URL(path, document.baseURI);

/** Keeps to the server the page came from, whatever host name a proxy made the server believe it has. */
export function sameServer(address: string): string {
  const resolved = url(address);
  return resolved.origin === location.origin ? address : `${location.origin}${resolved.pathname}${resolved.search}`;
}

/** An answer and its JSON; `{}` where it has none to give (204). */
export async function fetchAnswer(target: URL | string, signal?: AbortSignal, options: RequestInit = {}): Promise<{ response: Response; body: Json }> {
  let response: Response;
  try {
    response = await fetch(target, { headers: { Accept: 'application/json, application/geo+json' }, ...options, signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(t('no-answer'), null);
  }
  const body: unknown = response.status === 204 ? {} : await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(problemSentence(body, response.status), response.status, isObject(body) ? text(body['bound']) : null, body);
  if (!isObject(body)) throw new ApiError(t('not-json'), response.status);
  return { response, body };
}

export const fetchJson = async (target: URL | string, signal?: AbortSignal, options: RequestInit = {}): Promise<Json> =>
  (await fetchAnswer(target, signal, options)).body;

/** A STAC Item as the viewer knows it, or null if it can't be shown. */
export function parseItem(value: Json): Item | null {
  const properties = isObject(value['properties']) ? value['properties'] : {};
  const id = text(value['id']);
  const collection = text(value['collection']);
  const stamp = text(properties['datetime']) ?? text(properties['start_datetime']);
  const geometry = value['geometry'] as Polygon | MultiPolygon | null;
  if (!id || !collection || !stamp || !geometry || !/Polygon$/.test(geometry.type)) return null;
  const datetime = new Date(stamp);
  const bbox = bboxOf(geometry);
  if (Number.isNaN(datetime.getTime()) || !bbox) return null;
  const dated = properties['comeo:datetime_unknown'] !== true;
  return {
    key: `${collection}/${id}`,
    id,
    collection,
    datetime,
    dated,
    timed: dated && properties['start_datetime'] === properties['end_datetime'],
    bbox,
    geometry,
    cloudCover: number(properties['eo:cloud_cover']),
    platform: text(properties['platform']),
    here: parseHere(properties),
  };
}

function parseHere(properties: Json): Here | null {
  const share = number(properties['comeo:completeness']);
  const layers = properties['comeo:layers'];
  return share === null ? null : { share, layers: Array.isArray(layers) ? layers : [] };
}

function parsePage(body: Json): ItemPage {
  const next = objects(body['links']).find((link) => link['rel'] === 'next');
  const items = objects(body['features'])
    .map(parseItem)
    .filter((item): item is Item => item !== null);
  return {
    items,
    matched: number(body['numberMatched']),
    next: next ? text(next['href']) : null,
  };
}

export async function fetchCollections(): Promise<Collection[]> {
  const body = await fetchJson(url('stac/collections'));
  return objects(body['collections']).flatMap((value) => {
    const id = text(value['id']);
    return id ? [{ id, title: text(value['title']) ?? id }] : [];
  });
}

export interface SearchQuery {
  collection?: string | null;
  /** Days, YYYY-MM-DD, both included. */
  from?: string | null;
  to?: string | null;
  bbox?: BBox;
  /** A part of ids, in any case. */
  named?: string;
  limit?: number;
}

/** RFC 3339 interval over whole UTC days, open where a day is missing. */
export function interval(from: string | null | undefined, to: string | null | undefined): string | null {
  if (!from && !to) return null;
  return `${from ? `${from}T00:00:00Z` : '..'}/${to ? `${to}T23:59:59Z` : '..'}`;
}

/** Text in a pattern of CQL2 that means just itself. */
const likeText = (text: string): string => text.replaceAll(/[\\%_]/g, '\\$&').replaceAll("'", "''");

export async function searchItems(query: SearchQuery, signal?: AbortSignal): Promise<ItemPage> {
  const target = url('stac/search');
  target.searchParams.set('limit', String(query.limit ?? 100));
  if (query.collection) target.searchParams.set('collections', query.collection);
  const when = interval(query.from, query.to);
  if (when) target.searchParams.set('datetime', when);
  if (query.bbox) target.searchParams.set('bbox', query.bbox.join(','));
  if (query.named) target.searchParams.set('filter', `CASEI(id) LIKE CASEI('%${likeText(query.named)}%')`);
  return parsePage(await fetchJson(target, signal));
}

export async function fetchItem(collection: string, item: string): Promise<Item> {
  const path = `stac/collections/${encodeURIComponent(collection)}/items/${encodeURIComponent(item)}`;
  const parsed = parseItem(await fetchJson(url(path)));
  if (!parsed) throw new ApiError(t('no-footprint', { item }), null);
  return parsed;
}

export async function nextPage(address: string, signal?: AbortSignal): Promise<ItemPage> {
  return parsePage(await fetchJson(sameServer(address), signal));
}

export function layerPath(layer: Layer): string {
  const collection = `collections/${encodeURIComponent(layer.collection)}`;
  return 'item' in layer ? `${collection}/items/${encodeURIComponent(layer.item)}` : collection;
}

/** The server's parameters for the period of a mosaic, and for which of its pixels. */
export function layerQuery(layer: Layer): Record<string, string> {
  if ('item' in layer) return {};
  const datetime = interval(layer.from, layer.until);
  return { ...(datetime && { datetime }), ...(layer.pixels && { pixel_selection: layer.pixels }) };
}

/** An address with parameters. */
export function withQuery(target: URL, query: Readonly<Record<string, string>>): URL {
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  return target;
}

export async function fetchTileSet(layer: Layer, signal?: AbortSignal): Promise<TileSet> {
  const target = withQuery(url(`${layerPath(layer)}/tilejson.json`), layerQuery(layer));
  const body = await fetchJson(target, signal);
  const template = Array.isArray(body['tiles']) ? text(body['tiles'][0]) : null;
  if (!template) throw new ApiError(t('no-tiles'), null);
  const bounds = Array.isArray(body['bounds']) && body['bounds'].length === 4 ? (body['bounds'] as BBox) : null;
  const coarser = 'item' in layer ? COARSER : 0;
  return {
    template: sameTemplate(template),
    bounds: bounds ?? [-180, -85, 180, 85],
    minZoom: Math.max(0, (number(body['minzoom']) ?? 0) - coarser),
    maxZoom: number(body['maxzoom']) ?? 18,
    attribution: plainText(text(body['attribution']) ?? ''),
  };
}

/** What a piece of HTML says; nothing in it is loaded or run. */
const plainText = (html: string): string => new DOMParser().parseFromString(html, 'text/html').body.textContent ?? '';

/** As sameServer, for a template, whose braces a URL parser would escape. */
export function sameTemplate(template: string): string {
  return template.replace(/^https?:\/\/[^/]+/i, location.origin);
}

/** The same tiles with parameters of a picture. The part before the question mark is left alone: its braces must stay braces. */
export function withRendering(template: string, rendering: Readonly<Record<string, string>>): string {
  const [path = '', query = ''] = template.split('?');
  const parameters = new URLSearchParams(query);
  for (const [name, value] of Object.entries(rendering)) parameters.set(name, value);
  const rest = parameters.toString();
  return rest ? `${path}?${rest}` : path;
}

/** The same tiles at twice the pixels, for dense screens. */
export function doubled(template: string): string {
  return template.replace('{y}', '{y}@2x');
}

function parseBand(band: Json): BandValue {
  return {
    name: text(band['name']) ?? '?',
    title: text(band['title']) ?? '',
    wavelength: number(band['wavelength']),
    value: number(band['value']),
    physical: number(band['physical']),
    error: number(band['expected_error']),
    physicalError: number(band['physical_expected_error']),
    fieldError: number(band['field_expected_error']),
    unit: text(band['unit']) ?? '',
  };
}

/** What of a style's parameters decides its values; the others its colours. */
const OF_VALUES = ['style', 'expression', 'bands', 'mask'];

/** The server's parameters for the values of a style, without its colours. */
export function valueQuery({ query }: Style): Record<string, string> {
  return Object.fromEntries(Object.entries(query).filter(([name]) => OF_VALUES.includes(name)));
}

/** Values of all bands at a place, and of the style where it has one value a pixel. */
export async function fetchPoint(layer: Layer, lon: number, lat: number, style: Style | null, signal?: AbortSignal): Promise<PointValues> {
  const { datetime } = layerQuery(layer);
  const target = withQuery(url(`${layerPath(layer)}/point/${lon.toFixed(6)},${lat.toFixed(6)}`), datetime ? { datetime } : {});
  const styled = withQuery(new URL(target), style ? valueQuery(style) : {});
  const [body, shown] = await Promise.all([fetchJson(target, signal), style ? fetchJson(styled, signal) : null, loadServerWords()]);
  return {
    bands: objects(body['bands']).map(parseBand).map(bandInOurWords),
    shown: objects(shown?.['results']).map((result) => ({
      expression: text(result['expression']) ?? '',
      value: number(result['value']),
      error: number(result['expected_error']),
    })),
    source: text(body['item']),
  };
}

/** What the operator has set for the page. */
export interface Config {
  basemap: Basemap | null;
  /** Whether the server follows places: it has the page /follow then. */
  geoservices: boolean;
  /** Whether it is a relay's, and tells how that stands. */
  relay: boolean;
}

function parseBasemap(basemap: unknown): Basemap | null {
  if (!isObject(basemap)) return null;
  const tiles = (Array.isArray(basemap['tiles']) ? basemap['tiles'] : [basemap['tiles']]).filter(
    (template): template is string => typeof template === 'string',
  );
  if (tiles.length === 0) return null;
  return { tiles, attribution: text(basemap['attribution']) ?? '', maxZoom: number(basemap['maxzoom']) ?? 19 };
}

export async function fetchConfig(): Promise<Config> {
  const body = await fetchJson(url('viewer-config.json'));
  return { basemap: parseBasemap(body['basemap']), geoservices: body['geoservices'] === true, relay: body['relay'] === true };
}
