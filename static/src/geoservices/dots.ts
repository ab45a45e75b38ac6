/** Dates of a site as a small chart shows them. */
import { number, objects, text } from '../api';

export interface Dot {
  at: Date;
  value: number;
  /** Standard uncertainty; null where it is unknown. */
  u: number | null;
  low: number | null;
  high: number | null;
  outside: boolean;
  /** Whether the date does not count. */
  faint: boolean;
}

const TICKS = 4;

/** Dates as the server tells them; those without a value have no dot. */
export function dotsOf(dates: unknown): Dot[] {
  return objects(dates).flatMap((each) => {
    const at = new Date(text(each['datetime']) ?? '');
    const value = number(each['value']);
    if (Number.isNaN(at.getTime()) || value === null) return [];
    const u = number(each['uncertainty']) ?? number(each['u']);
    return [{ at, value, u, low: number(each['low']), high: number(each['high']), outside: text(each['side']) !== null, faint: text(each['reason']) !== null }];
  });
}

/** Round steps that divide a range into about four. */
export function ticksOf(low: number, high: number): number[] {
  const raw = (high - low) / TICKS;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= raw) ?? raw;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
