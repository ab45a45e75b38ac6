/** Curves as the chart draws them: columns over one axis of time, years over one another, rows of a table. */
import { isoDay } from '../../format';
import { cloudy, type Curve, type Observation } from './series';

/** One line of the chart. */
export interface Line {
  label: string;
  style: string;
  /** What belongs to each place of the axis; null where the line has nothing there. */
  observations: (Observation | null)[];
}

export interface Lines {
  /** Seconds since 1970, or, where years are compared, seconds since the year began. */
  times: number[];
  lines: Line[];
}

/** The true value lies within twice the standard uncertainty in 95 of 100 cases. */
const TWICE = 2;

export const margin = ({ uncertainty }: Pick<Observation, 'uncertainty'>): number | null => (uncertainty === null ? null : TWICE * uncertainty);

/** Of two scenes of one moment, as neighbouring tiles are, the one that shows more of the field. */
const better = (one: Observation | null, other: Observation): Observation =>
  one?.value != null && (other.value === null || (one.pixels ?? 0) >= (other.pixels ?? 0)) ? one : other;

function gathered(parts: readonly { label: string; style: string; observations: readonly Observation[] }[], at: (date: Date) => number): Lines {
  const times = [...new Set(parts.flatMap(({ observations }) => observations.map(({ date }) => at(date))))].sort((a, b) => a - b);
  const place = new Map(times.map((time, index) => [time, index]));
  const lines = parts.map(({ label, style, observations }) => {
    const row: (Observation | null)[] = times.map(() => null);
    for (const each of observations) {
      const index = place.get(at(each.date)) ?? 0;
      row[index] = better(row[index] ?? null, each);
    }
    return { label, style, observations: row };
  });
  return { times, lines };
}

/** Every curve as a line over time. */
export function overTime(curves: readonly Curve[], label: (curve: Curve) => string): Lines {
  const parts = curves.map((curve) => ({ label: label(curve), style: curve.style, observations: curve.observations }));
  return gathered(parts, (date) => date.getTime() / 1000);
}

/** The years of one curve over one another. 29 February has a place of its own in all of them. */
export function overYears({ style, observations }: Curve): Lines {
  const years = [...new Set(observations.map(({ date }) => date.getUTCFullYear()))].sort();
  const parts = years.map((year) => ({
    label: String(year),
    style,
    observations: observations.filter(({ date }) => date.getUTCFullYear() === year),
  }));
  const sameYear = (date: Date): number => Date.UTC(2000, date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes()) / 1000;
  return gathered(parts, sameYear);
}

/** Values of a line that are clear, or that are not; the rest null. */
export const valuesOf = (line: Line, clouded: boolean): (number | null)[] =>
  line.observations.map((each) => (each && cloudy(each) === clouded ? each.value : null));

/** An end of a curve: the highest or the lowest of its clear values, by its place on the axis. */
export interface Extreme {
  kind: 'highest' | 'lowest';
  index: number;
  value: number;
}

/** Of the first line; none where fewer than two dates are clear. */
export function extremesOf({ lines: [line] }: Lines): Extreme[] {
  const values = line ? valuesOf(line, false).flatMap((value, index) => (value === null ? [] : [{ value, index }])) : [];
  const sorted = values.sort((a, b) => a.value - b.value);
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  if (!lowest || !highest || sorted.length < 2) return [];
  return [{ kind: 'highest', ...highest }, { kind: 'lowest', ...lowest }];
}

/** The edge of the band in which the true value lies, above (+1) or below (−1) clear values. */
export const edgeOf = (line: Line, sign: 1 | -1): (number | null)[] =>
  line.observations.map((each) => {
    const wide = each && !cloudy(each) ? margin(each) : null;
    return each?.value == null || wide === null ? null : each.value + sign * wide;
  });

/** A cell that spreadsheets read as text or number, and never as a formula. */
function cell(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const CSV_HEAD = ['field', 'indicator', 'date', 'time', 'item', 'value', 'uncertainty', 'spread', 'clear', 'pixels'] as const;

/** All observations as comma-separated values; `uncertainty` is the standard one. */
export function csvOf(curves: readonly Curve[]): string {
  const rows = curves.flatMap(({ field, style, observations }) =>
    observations.map((each) => {
      const moment = each.date.toISOString();
      return [field.name, style, isoDay(each.date), moment.slice(11, 19), each.item, each.value, each.uncertainty, each.spread, each.clear, each.pixels];
    }),
  );
  return [[...CSV_HEAD], ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}
