/** The period of a dashboard: days, both included; null is open. */

export interface Period {
  from: string | null;
  to: string | null;
}

export const LENGTHS = ['1', '2', 'all'] as const;
export type Length = (typeof LENGTHS)[number];

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const isDay = (value: string | undefined): value is string => DAY.test(value ?? '') && !Number.isNaN(Date.parse(value ?? ''));

export const isLength = (value: string | undefined): value is Length => LENGTHS.some((each) => each === value);

/** So many years up to the newest date that counts, with what has come since and does not count. */
export function endingAt(newest: Date, length: Length): Period {
  if (length === 'all') return { from: null, to: null };
  const from = new Date(newest);
  from.setUTCFullYear(from.getUTCFullYear() - Number(length));
  return { from: from.toISOString().slice(0, 10), to: null };
}

/** Reads what a link says: a length, or `from/to` with either day left out; null for what makes no sense. */
export function parsePeriod(value: string | undefined, newest: Date): Period | null {
  if (isLength(value)) return endingAt(newest, value);
  const [from = '', to = '', ...rest] = (value ?? '').split('/');
  if (!value?.includes('/') || rest.length > 0 || (from && !isDay(from)) || (to && !isDay(to)) || (from && to && from > to)) return null;
  return { from: from || null, to: to || null };
}

export const formatPeriod = ({ from, to }: Period): string => `${from ?? ''}/${to ?? ''}`;

/** Whether a moment lies in a period. */
export function within({ from, to }: Period, date: Date): boolean {
  const day = date.toISOString().slice(0, 10);
  return (from === null || day >= from) && (to === null || day <= to);
}

/** Before the first Sentinel: there is nothing to ask for. */
const BEGINNING = '2014-04-01';

/** Two halves of a period that follow one another; null where it is a day. */
export function halves({ from, to }: Period, today: Date): [Period, Period] | null {
  const [first, last] = [from ?? BEGINNING, to ?? today.toISOString().slice(0, 10)];
  if (first >= last) return null;
  const middle = new Date((Date.parse(first) + Date.parse(last)) / 2).toISOString().slice(0, 10);
  const next = new Date(Date.parse(middle) + 86_400_000).toISOString().slice(0, 10);
  return [{ from, to: middle }, { from: next, to }];
}
