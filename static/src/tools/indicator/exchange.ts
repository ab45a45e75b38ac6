/** Indicators given away and brought along: files, other languages, and publishing on the server. */
import { ApiError, fetchJson, layerPath, number, objects, text, url, valueQuery, withQuery, type Item, type Style } from '../../api';
import { documentOf, draftOf, idOf, type Example } from '../../documents';
import type { BBox } from '../../geo';
import type { Indicator } from '../../indicator';
import { indicatorOf, isRanged } from './document';

/** What a document can be written as: the server's name of it, and the end of a file's name. */
export const EXPORTS = {
  pof: ['', 'pof.json'],
  openeo: ['openeo.json', 'openeo.json'],
  evalscript: ['evalscript.js', 'js'],
  render: ['render.json', 'render.json'],
  qgis: ['qgis.txt', 'qgis.txt'],
  snap: ['snap.txt', 'snap.txt'],
  gdal: ['gdal.txt', 'gdal.txt'],
} as const;
export type Export = keyof typeof EXPORTS;

/** Languages that files are read from, besides documents as JSON and TOML. */
export const IMPORTS = ['evalscript', 'openeo', 'pofml', 'render', 'snap', 'qgis'] as const;
export const ACCEPTED = '.json,.toml,.js,.txt,.xml,.pof';
const LARGEST = 65_536;

/** The document of an indicator, or what the server makes of it in another language. */
export async function exported(indicator: Indicator, to: Export, collection: string, bands: readonly string[]): Promise<{ content: string; name: string }> {
  const document = documentOf(indicator, collection, bands);
  const [path, extension] = EXPORTS[to];
  const name = `${idOf(indicator)}.${extension}`;
  if (!path) return { content: document, name };
  const answer = await fetch(url(`pof/${await draftOf(document)}/${path}`));
  const content = await answer.text();
  if (!answer.ok) throw new ApiError(text((JSON.parse(content) as Record<string, unknown>)['detail']) ?? content, answer.status);
  return { content, name };
}

const post = (address: URL, body: string, type: string): Promise<Record<string, unknown>> =>
  fetchJson(address, undefined, { method: 'POST', body, headers: { 'Content-Type': type, Accept: 'application/json' } });

export interface Imported {
  indicator: Indicator;
  /** Whether it says its range; else that of the view will do. */
  ranged: boolean;
}

/** The indicator of a file; `from` is its language where it is no document. Null where it says more than the editor shows. */
export async function imported(file: File, from: string, bands: readonly string[]): Promise<Imported | null> {
  const document = file.size > LARGEST ? null : await documentIn(file, from, bands);
  const indicator = document && indicatorOf(document);
  return document && indicator ? { indicator, ranged: isRanged(document) } : null;
}

async function documentIn(file: File, from: string, bands: readonly string[]): Promise<string> {
  const content = await file.text();
  if (from === '' && !file.name.endsWith('.toml')) return content;
  if (from === '') {
    const { id } = await post(url('pof/drafts'), content, 'application/toml');
    return JSON.stringify(await fetchJson(url(`pof/${text(id) ?? ''}`)));
  }
  const address = withQuery(url('pof/import'), { from, ...(bands.length > 0 && { bands: bands.join(',') }) });
  const { document } = await post(address, content, 'text/plain');
  return JSON.stringify(document);
}

/** Whether anybody may publish on this server. */
export const mayPublish = async (): Promise<boolean> => (await fetchJson(url('viewer-config.json')).catch(() => null))?.['publish'] === true;

/** Examples of the view, which a published document carries: values of its bands at places, and what comes of them. */
export async function examplesOf(style: Style, item: Item, [west, south, east, north]: BBox, read: readonly string[]): Promise<Example[]> {
  const places = [[0.5, 0.5], [0.25, 0.25], [0.75, 0.75], [0.25, 0.75], [0.75, 0.25]] as const;
  const path = layerPath({ collection: item.collection, item: item.id });
  const found: Example[] = [];
  for (const [x, y] of places) {
    const place = `${(west + x * (east - west)).toFixed(6)},${(south + y * (north - south)).toFixed(6)}`;
    const answer = await fetchJson(withQuery(url(`${path}/point/${place}`), valueQuery(style))).catch(() => null);
    const value = number(objects(answer?.['results'])[0]?.['value']);
    const bands = objects((await fetchJson(url(`${path}/point/${place}`)).catch(() => null))?.['bands']);
    const given = Object.fromEntries(bands.flatMap((band) => {
      const [name, physical] = [text(band['name']), number(band['physical'])];
      return name && physical !== null && read.includes(name) ? [[name, physical] as const] : [];
    }));
    if (value !== null && Object.keys(given).length === read.length) found.push({ given, expect: value });
  }
  return found;
}

/** Publishes for good; answers `id@version`. */
export async function publish(indicator: Indicator, collection: string, bands: readonly string[], examples: readonly Example[]): Promise<string> {
  const { name } = await post(url('pof'), documentOf(indicator, collection, bands, examples), 'application/json');
  const published = text(name);
  if (!published) throw new ApiError('The server named no document.', null);
  return published;
}
