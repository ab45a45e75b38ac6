/** A dashboard's requests. */
import type { MultiPolygon, Point, Polygon } from 'geojson';

import { ApiError, interval, isObject, number, objects, searchItems, text, type Json } from '../../api';
import { language } from '../../language';
import { address, pathOf, read, readIfThere } from '../api';
import { textIn, type Side } from '../model';
import { joined, parseSeries, type SiteSeries } from './observation';
import { halves, type Period } from './period';

export type SiteState = Side | 'nominal' | 'learning' | 'unknown';

/** A site with its latest clear date. */
export interface Site {
  id: number;
  name: string;
  geometry: Polygon | MultiPolygon | Point;
  areaM2: number;
  state: SiteState;
  value: number | null;
  uncertainty: number | null;
  date: Date | null;
  alert: boolean;
}

export interface Alert {
  id: number;
  site: number;
  indicator: string;
  side: Side;
  state: string;
  severity: number;
  from: Date;
  until: Date;
  /** Scene of the last date outside. */
  item: string;
  isOpen: boolean;
  sentences: string[];
}

export interface Bulletin {
  id: number;
  number: string;
  revision: number;
  /** SHA-256 of what it says. */
  digest: string;
  /** A month, as YYYY-MM. */
  period: string;
  state: string;
  files: { address: string; kind: 'html' | 'pdf'; language: string; bytes: number | null }[];
}

const STATES: readonly SiteState[] = ['low', 'high', 'nominal', 'learning'];
const OPEN = ['verifying', 'candidate', 'confirmed', 'notified'];
/** Requests for one series at most: what is beyond is left out, and the page says so. */
const MOST_REQUESTS = 8;

const dateOf = (value: unknown): Date | null => {
  const date = new Date(text(value) ?? NaN);
  return Number.isNaN(date.getTime()) ? null : date;
};

function parseSite(value: Json): Site | null {
  const id = number(value['id']);
  const geometry = value['geometry'] as Site['geometry'] | null;
  const properties = isObject(value['properties']) ? value['properties'] : {};
  if (id === null || !geometry || !/^(Multi)?Polygon$|^Point$/.test(geometry.type)) return null;
  return {
    id, geometry,
    name: textIn(properties['name'], `${id}`),
    areaM2: number(properties['area_m2']) ?? 0,
    state: STATES.find((each) => each === properties['state']) ?? 'unknown',
    value: number(properties['value']),
    uncertainty: number(properties['uncertainty']),
    date: dateOf(properties['datetime']),
    alert: properties['alert'] === true,
  };
}

export async function fetchSites(slug: string, indicator: string, signal: AbortSignal): Promise<Site[]> {
  const { body } = await read(pathOf(slug, 'sites.geojson'), { indicator }, signal);
  return objects(body['features']).map(parseSite).filter((each) => each !== null);
}

export interface Fetched {
  series: SiteSeries[];
  /** Whether older dates are left out, because there are too many. */
  cut: boolean;
}

/** Series of all sites over a period, newest first in as many requests as the server's bound takes. */
export async function fetchSeries(slug: string, indicator: string, period: Period, signal: AbortSignal): Promise<Fetched> {
  const waiting: Period[] = [period];
  const parts: SiteSeries[][] = [];
  for (let requests = 0; waiting.length > 0; requests++) {
    if (requests >= MOST_REQUESTS) return { series: joined(parts), cut: true };
    const next = waiting.pop() as Period;
    try {
      const { body } = await read(pathOf(slug, 'series'), { indicator, datetime: interval(next.from, next.to) }, signal);
      parts.unshift(parseSeries(body));
    } catch (error) {
      const split = error instanceof ApiError && error.bound === 'max_observations' ? halves(next, new Date()) : null;
      if (!split) throw error;
      waiting.push(...split);
    }
  }
  return { series: joined(parts), cut: false };
}

/** All dates of one site. */
export async function fetchSite(slug: string, indicator: string, site: number, signal: AbortSignal): Promise<SiteSeries | null> {
  const { body } = await read(pathOf(slug, 'series'), { indicator, site }, signal);
  return parseSeries(body)[0] ?? null;
}

function parseAlert(value: Json): Alert | null {
  const [id, site, indicator, state] = [number(value['id']), number(value['site']), text(value['indicator']), text(value['state'])];
  const [first, last] = [value['first'], value['last']].map((each) => (isObject(each) ? each : {}));
  const [from, until] = [dateOf(first?.['datetime']), dateOf(last?.['datetime'])];
  if (id === null || site === null || !indicator || !state || !from || !until) return null;
  const sentences = Array.isArray(value['sentences']) ? value['sentences'].map(text).filter((each) => each !== null) : [];
  return {
    id, site, indicator, state, from, until, sentences,
    side: value['kind'] === 'high' ? 'high' : 'low',
    severity: number(value['severity']) ?? 1,
    item: text(last?.['item']) ?? '',
    isOpen: OPEN.includes(state),
  };
}

/** The newest alerts, at most 1000; those that one may see. */
export async function fetchAlerts(slug: string, signal: AbortSignal): Promise<Alert[]> {
  const { body } = await read(pathOf(slug, 'alerts'), { lang: language, limit: 1000 }, signal);
  return objects(body['alerts']).map(parseAlert).filter((each) => each !== null);
}

function parseBulletin(value: Json, locales: readonly string[]): Bulletin | null {
  const [id, name] = [number(value['id']), text(value['number'])];
  if (id === null || !name) return null;
  const files = objects(value['files']).flatMap((each) => {
    const [kind, language] = [each['kind'], text(each['locale']) ?? ''];
    if (kind !== 'html' && kind !== 'pdf') return [];
    return [{ kind, language, bytes: number(each['bytes']), address: address(`bulletins/${id}.${kind}`, { locale: language }).href } as const];
  });
  // what has not been sent has no files yet, and is shown as it would be
  const drafts = locales.map((language) => ({ kind: 'html', language, bytes: null, address: address(`bulletins/${id}.html`, { locale: language }).href }) as const);
  return {
    id, number: name, revision: number(value['revision']) ?? 0, digest: text(value['sha256']) ?? '',
    period: text(value['period']) ?? '', state: text(value['state']) ?? '', files: files.length > 0 ? files : drafts,
  };
}

/** Bulletins, to be read in the geoservice's languages; null where the server keeps none. */
export async function fetchBulletins(slug: string, locales: readonly string[], signal: AbortSignal): Promise<Bulletin[] | null> {
  const found = await readIfThere(pathOf(slug, 'bulletins'), {}, signal);
  return found && objects(found.body['bulletins']).map((each) => parseBulletin(each, locales)).filter((each) => each !== null);
}

/** The collection of the geoservice's maps of periods; null where there is none. */
export async function fetchMaps(slug: string, signal: AbortSignal): Promise<string | null> {
  const collection = `geoservice-${slug}`;
  const { items } = await searchItems({ collection, limit: 1 }, signal);
  return items.length > 0 ? collection : null;
}
