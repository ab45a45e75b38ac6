/** The stops of the timeline: dates that can be gone to, where they lie on it, and how keys go between them. */
import type { Item } from '../api';
import { isoDay } from '../format';
import { direction } from '../language';
import type { State } from '../store';

/** One stop: a scene, or in a mosaic a day, which its newest scene stands for. */
export interface Stop {
  key: string;
  date: Date;
  item: Item;
}

/** Where a date lies between the first and the last stop, 0 to 1. */
export function fraction(stops: readonly Pick<Stop, 'date'>[], date: Date): number {
  const first = stops[0]?.date.getTime() ?? 0;
  const last = stops[stops.length - 1]?.date.getTime() ?? 0;
  return last > first ? (date.getTime() - first) / (last - first) : 0.5;
}

export function nearest(stops: readonly Pick<Stop, 'date'>[], at: number): number {
  const distance = (stop: Pick<Stop, 'date'>): number => Math.abs(fraction(stops, stop.date) - at);
  return stops.reduce((best, stop, i) => (distance(stop) < distance(stops[best] as Stop) ? i : best), 0);
}

/** Pixels that a dot takes, and the number of a year. */
const DOT = 13;
const YEAR = 34;

/** Which stops have space for a dot on a track of so many pixels; the others are ticks. */
export function roomy(stops: readonly Pick<Stop, 'date'>[], width: number): boolean[] {
  const places = stops.map(({ date }) => fraction(stops, date) * width);
  return places.map((place, i) => [places[i - 1], places[i + 1]].every((other) => other === undefined || Math.abs(other - place) >= DOT));
}

/** Years that begin between the first and the last stop, where they begin, 0 to 1; as many as find space. */
export function yearMarks(stops: readonly Pick<Stop, 'date'>[], width: number): { date: Date; at: number }[] {
  const [first, last] = [stops[0], stops[stops.length - 1]].map((stop) => stop?.date.getUTCFullYear() ?? 0);
  const years = Array.from({ length: (last ?? 0) - (first ?? 0) }, (_, i) => new Date(Date.UTC((first ?? 0) + 1 + i, 0, 1)));
  const marks = years.map((date) => ({ date, at: fraction(stops, date) }));
  const step = Math.max(1, Math.ceil((YEAR * (marks.length - 1)) / Math.max(1, ((marks.at(-1)?.at ?? 0) - (marks[0]?.at ?? 0)) * width)));
  return marks.filter((_, i) => i % step === 0);
}

/** One stop a day, oldest first. */
export function daysOf(items: readonly Item[]): Stop[] {
  const days = new Map(items.map((item) => [isoDay(item.datetime), item]));
  return [...days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, item]) => ({ key: day, date: new Date(`${day}T00:00:00Z`), item }));
}

/** Stops of what is shown, and the key of the one that is current, or is on its way. Scenes without a date have no place. */
export function stopsOf({ layer: shown, item: shownItem, pending, series }: Readonly<State>): { stops: Stop[]; current: string } {
  const layer = pending?.layer ?? shown;
  const item = pending?.item ?? shownItem;
  const dated = series.filter((each) => each.dated);
  if (layer && !('item' in layer)) {
    const stops = daysOf(dated);
    const { until } = layer; // the newest that it shows: nothing may have been acquired on its last day
    return { stops, current: stops.filter(({ key }) => until === null || key <= until).at(-1)?.key ?? '' };
  }
  const known = item === null || dated.some(({ key }) => key === item.key);
  return { stops: known ? dated.map((each) => ({ key: each.key, date: each.datetime, item: each })) : [], current: item?.key ?? '' };
}

/** Time runs as the writing does. */
const [forward, back] = direction === 'rtl' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowRight', 'ArrowLeft'];

export const STEP_KEYS: Record<string, (index: number, count: number) => number> = {
  [back]: (i) => i - 1,
  ArrowDown: (i) => i - 1,
  [forward]: (i) => i + 1,
  ArrowUp: (i) => i + 1,
  PageDown: (i) => i - 5,
  PageUp: (i) => i + 5,
  Home: () => 0,
  End: (_, count) => count - 1,
};
