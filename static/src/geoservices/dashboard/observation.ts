/** What a geoservice has observed of a site: values with limits, and what a date says. Pure; nothing here knows the page. */
import { number, objects, text, type Json } from '../../api';
import { margin } from '../../tools/chart/curve';
import { textIn, type Side } from '../model';

export interface Observation {
  collection: string;
  item: string;
  date: Date;
  /** Null where nothing could be measured. */
  value: number | null;
  /** Standard uncertainty of the value; null where it is unknown. */
  uncertainty: number | null;
  /** Share of the site that is clear, 0 to 1; null where the archive does not tell. */
  clear: number | null;
  /** Limits of nominal values at that date; null where they are open, or not known yet. */
  low: number | null;
  high: number | null;
  side: Side | null;
  score: number | null;
  /** Why the date does not count as a clear one, as the server says it; empty where it counts. */
  reason: string;
}

export interface SiteSeries {
  site: number;
  name: string;
  /** Oldest first. */
  observations: Observation[];
}

/** What a date says of a site. */
export type Standing =
  | { kind: 'absent' | 'uncounted' | 'learning' | 'nominal' }
  | { kind: 'outside'; side: Side; severity: 1 | 2 | 3 };

/** Scores from which a date outside has severity 2 and 3: SEVERITIES of tileserver/watch/alerts/baseline.py. */
const GRAVER = [3, 5] as const;
const DAY = 86_400_000;
const YEAR = 365.2425 * DAY;

function parseObservation(value: Json): Observation | null {
  const item = text(value['item']);
  const date = new Date(text(value['datetime']) ?? NaN);
  if (!item || Number.isNaN(date.getTime())) return null;
  const side = value['side'];
  return {
    item, date,
    collection: text(value['collection']) ?? '',
    value: number(value['value']),
    uncertainty: number(value['uncertainty']),
    clear: number(value['clear_fraction']),
    low: number(value['low']),
    high: number(value['high']),
    side: side === 'low' || side === 'high' ? side : null,
    score: number(value['score']),
    reason: text(value['reason']) ?? '',
  };
}

/** The series of an answer. */
export function parseSeries(body: Json): SiteSeries[] {
  return objects(body['series']).flatMap((each) => {
    const site = number(each['site']);
    if (site === null) return [];
    const observations = objects(each['observations']).map(parseObservation).filter((one) => one !== null);
    return [{ site, name: textIn(each['name'], `${site}`), observations: observations.sort((a, b) => a.date.getTime() - b.date.getTime()) }];
  });
}

/** Series of the same sites over periods that follow one another, as one each. */
export function joined(parts: readonly (readonly SiteSeries[])[]): SiteSeries[] {
  const found = new Map<number, SiteSeries>();
  for (const each of parts.flat()) {
    const known = found.get(each.site);
    found.set(each.site, known ? { ...known, observations: [...known.observations, ...each.observations] } : each);
  }
  return [...found.values()];
}

export const counts = ({ reason, value }: Observation): boolean => reason === '' && value !== null;

export const severityOf = (score: number | null): 1 | 2 | 3 => (score === null || score < GRAVER[0] ? 1 : score < GRAVER[1] ? 2 : 3);

export function standingOf(one: Observation | null | undefined): Standing {
  if (!one || one.value === null) return { kind: 'absent' };
  if (!counts(one)) return { kind: 'uncounted' };
  if (one.side) return { kind: 'outside', side: one.side, severity: severityOf(one.score) };
  return { kind: one.low === null && one.high === null ? 'learning' : 'nominal' };
}

/** Of a place of the axis: what lies between two edges; null of an edge is open. */
export interface Span {
  at: number;
  low: number | null;
  high: number | null;
}

/** Nominal values as spans, in pieces without a date that knows no limits between. */
export function nominalSpans(observations: readonly Observation[]): Span[][] {
  const pieces: Span[][] = [[]];
  for (const one of observations.filter(counts)) {
    if (one.low === null && one.high === null) {
      if (pieces.at(-1)?.length) pieces.push([]);
    } else pieces.at(-1)?.push({ at: one.date.getTime() / 1000, low: one.low, high: one.high });
  }
  return pieces.filter(({ length }) => length > 0);
}

/** Where the true values lie in 95 of 100 cases, as far as compression is concerned. */
export function valueSpans(observations: readonly Observation[]): Span[] {
  return observations.filter(counts).flatMap(({ date, value, uncertainty }) => {
    const reach = margin({ uncertainty });
    return value === null || reach === null ? [] : [{ at: date.getTime() / 1000, low: value - reach, high: value + reach }];
  });
}

/** The lowest and the highest value of the same season in other years: a ribbon behind the curve. */
export function otherYears(observations: readonly Observation[], days = 25, least = 2): Span[] {
  const clear = observations.filter(counts);
  return clear.flatMap(({ date }) => {
    const values = clear.flatMap((other) => {
      const apart = other.date.getTime() - date.getTime();
      const years = Math.round(apart / YEAR);
      return years !== 0 && Math.abs(apart - years * YEAR) <= days * DAY && other.value !== null ? [other.value] : [];
    });
    return values.length < least ? [] : [{ at: date.getTime() / 1000, low: Math.min(...values), high: Math.max(...values) }];
  });
}

/** The lowest and the highest; [∞, −∞] of none. Of more values than a call takes arguments, too. */
export const extentOf = (values: readonly number[]): [number, number] =>
  values.reduce<[number, number]>(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

/** From the lowest to the highest of what is drawn, with some room; [0, 1] where there is nothing. */
export function rangeOf(observations: readonly Observation[]): [number, number] {
  const values = observations.filter(({ value }) => value !== null).flatMap((one) => {
    const reach = counts(one) ? (margin(one) ?? 0) : 0;
    const value = one.value ?? 0;
    return [value - reach, value + reach, one.low, one.high].filter((each) => each !== null);
  });
  const [low, high] = extentOf(values);
  if (low > high) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

/** Days on which any site was looked at, oldest first, as YYYY-MM-DD. */
export const daysOf = (series: readonly SiteSeries[]): string[] =>
  [...new Set(series.flatMap(({ observations }) => observations.map(({ date }) => date.toISOString().slice(0, 10))))].sort();

/** Of a site's observations of one day, the one that says most. */
export function byDay({ observations }: SiteSeries): Map<string, Observation> {
  const found = new Map<string, Observation>();
  for (const one of observations) {
    const day = one.date.toISOString().slice(0, 10);
    const known = found.get(day);
    if (!known || worth(one) > worth(known)) found.set(day, one);
  }
  return found;
}

const worth = (one: Observation): number => (counts(one) ? 2 : one.value === null ? 0 : 1) + (one.clear ?? 0) / 2;

/**
 * Scenes of which a picture shows all sites: the newest clear one of most sites first, then what shows the others.
 * At most so many; what they leave out stays without a picture.
 */
export function scenesToShow(series: readonly SiteSeries[], most: number): Pick<Observation, 'collection' | 'item' | 'date'>[] {
  const seen = new Map<string, { one: Observation; sites: Set<number> }>();
  for (const { site, observations } of series) {
    for (const one of observations.filter(counts)) {
      const key = `${one.collection}/${one.item}`;
      const known = seen.get(key) ?? { one, sites: new Set<number>() };
      known.sites.add(site);
      seen.set(key, known);
    }
  }
  const missing = new Set(series.map(({ site }) => site));
  const chosen: Observation[] = [];
  while (missing.size > 0 && chosen.length < most) {
    const shown = ({ sites }: { sites: Set<number> }): number => [...sites].filter((site) => missing.has(site)).length;
    const enough = 0.9 * Math.max(0, ...[...seen.values()].map(shown));
    const best = [...seen.values()].filter((each) => enough > 0 && shown(each) >= enough).sort((a, b) => b.one.date.getTime() - a.one.date.getTime())[0];
    if (!best) break;
    chosen.push(best.one);
    for (const site of best.sites) missing.delete(site);
  }
  return chosen;
}
