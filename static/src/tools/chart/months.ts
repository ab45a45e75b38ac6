/** Means of months, a row a year: which month is the highest is seen at a glance; a click on it shows its picture, one on the year its curve alone. */
import { h } from '../../dom';
import { formatDay } from '../../format';
import { locale } from '../../language';
import { margin } from './curve';
import { cloudy, type Observation } from './series';
import { t } from './words';
import { formatValue } from './value';

export interface Month {
  year: number;
  /** From 0. */
  month: number;
  /** Mean of its clear dates, and the standard uncertainty of that mean; null where one date's is unknown. */
  value: number;
  uncertainty: number | null;
  /** Its clear dates, oldest first. */
  dates: Observation[];
}

type Valued = Observation & { value: number };
const hasValue = (each: Observation): each is Valued => each.value !== null && !cloudy(each);

function monthOf(dates: readonly Valued[]): Month {
  const [first] = dates as [Valued, ...Valued[]];
  const known = dates.map(({ uncertainty }) => uncertainty).filter((each) => each !== null);
  return {
    year: first.date.getUTCFullYear(),
    month: first.date.getUTCMonth(),
    value: dates.reduce((sum, { value }) => sum + value, 0) / dates.length,
    // what coding adds is another matter on every date: JCGM 100:2008, 5.1.2
    uncertainty: known.length === dates.length ? Math.hypot(...known) / dates.length : null,
    dates: [...dates],
  };
}

/** Months that have a clear date, in their order. */
export function monthsOf(observations: readonly Observation[]): Month[] {
  const groups = new Map<string, Valued[]>();
  for (const each of [...observations].sort((a, b) => a.date.getTime() - b.date.getTime()).filter(hasValue)) {
    const key = each.date.toISOString().slice(0, 7);
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()].map(monthOf);
}

/** The date whose picture stands for a month: the clearest, and of equals the nearest to the mean. */
export function pictureOf({ dates, value }: Month): Observation {
  const [first, ...rest] = dates as [Observation, ...Observation[]];
  const off = (each: Observation): number => Math.abs((each.value ?? value) - value);
  const better = (a: Observation, b: Observation): Observation => {
    const [one, other] = [a.clear ?? 0, b.clear ?? 0];
    return other > one || (other === one && off(b) < off(a)) ? b : a;
  };
  return rest.reduce(better, first);
}

/** The highest and the lowest of the months of a year; none where there is just one. */
export function extremesOf(year: readonly Month[]): { highest: Month | null; lowest: Month | null } {
  if (year.length < 2) return { highest: null, lowest: null };
  const sorted = [...year].sort((a, b) => a.value - b.value);
  return { highest: sorted.at(-1) ?? null, lowest: sorted[0] ?? null };
}

const named = (month: number, style: 'long' | 'short'): string =>
  new Date(Date.UTC(2001, month, 1)).toLocaleDateString(locale, { month: style, timeZone: 'UTC' });
/** As long as a cell is wide. */
const short = (value: number): string => {
  const digits = Math.abs(value) < 9.95 ? 2 : 0;
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
};
const titleOf = ({ year, month }: Month): string =>
  new Date(Date.UTC(year, month, 1)).toLocaleDateString(locale, { month: 'long', year: 'numeric', timeZone: 'UTC' });

/** `June 2019: 0.87 ± 0.01, mean of 2 clear dates`. */
export function monthWords(month: Month, unit: string): string {
  const value = formatValue(month.value, margin(month), unit);
  return t('month-mean', { month: titleOf(month), value, count: month.dates.length });
}

/** `2019: highest in June, 0.87 ± 0.01; lowest in April, 0.46 ± 0.02`; empty where a year has just one month. */
function yearWords(year: readonly Month[], unit: string): string {
  const { highest, lowest } = extremesOf(year);
  if (!highest || !lowest) return '';
  const words = (month: Month): string => `${named(month.month, 'long')}, ${formatValue(month.value, margin(month), unit)}`;
  return t('year-extremes', { year: String(highest.year), highest: words(highest), lowest: words(lowest) });
}

export interface MonthsEvents {
  /** A date stands for the month that was chosen. */
  date: (date: Observation) => void;
  /** A year was chosen, or all of them. */
  year: (year: number | null) => void;
}

export class Months {
  readonly element: HTMLElement;
  readonly #events: MonthsEvents;
  readonly #head = h('h3', {});
  readonly #body = h('tbody', {});
  readonly #said = h('p', { class: 'chart-month-said', role: 'status' });
  readonly #next: HTMLElement;

  /** `next` is what can be done with the picture that a month has shown. */
  constructor(events: MonthsEvents, next: readonly HTMLElement[]) {
    this.#events = events;
    this.#next = h('div', { class: 'chart-next', hidden: true }, ...next);
    const letters = Array.from({ length: 12 }, (_, month) => h('th', { scope: 'col', abbr: named(month, 'long') }, named(month, 'short').replace('.', '')));
    const table = h('table', {}, h('thead', {}, h('tr', {}, h('td', {}), ...letters)), this.#body);
    this.element = h('section', { class: 'chart-months' }, this.#head, h('div', { class: 'chart-months-table' }, table), this.#said, this.#next, h('p', { class: 'hint' }, t('months-hint')));
  }

  /** `chosen` is the year whose curve is shown alone, if one is. */
  show(label: string, observations: readonly Observation[], unit: string, chosen: number | null): void {
    const months = monthsOf(observations);
    this.element.hidden = months.length === 0;
    this.#head.textContent = label ? t('months-of', { what: label }) : t('months');
    const ofYear = months.filter(({ year }) => year === chosen);
    this.#said.textContent = yearWords(ofYear, unit);
    this.#next.hidden = true;
    const values = months.map(({ value }) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const share = (value: number): number => (high > low ? (value - low) / (high - low) : 0.5);
    const years = [...new Set(months.map(({ year }) => year))];
    this.#body.replaceChildren(...years.map((year) => this.#row(months.filter((each) => each.year === year), share, unit, year === chosen)));
  }

  #row(months: readonly Month[], share: (value: number) => number, unit: string, chosen: boolean): HTMLElement {
    const year = months[0]?.year ?? 0;
    const { highest, lowest } = extremesOf(months);
    const cells = Array.from({ length: 12 }, (_, place) => {
      const month = months.find((each) => each.month === place);
      if (!month) return h('td', {});
      const extreme = month === highest ? 'highest' : month === lowest ? 'lowest' : null;
      const words = [monthWords(month, unit), extreme && t(`${extreme}-of-year`)].filter(Boolean).join('. ');
      const style = `--share: ${share(month.value).toFixed(2)}`;
      const button = h('button', { type: 'button', style, title: words, 'aria-label': words, 'data-extreme': extreme, click: () => this.#pick(month, unit) }, short(month.value));
      return h('td', {}, button);
    });
    const alone = h('button', { type: 'button', title: t('year-alone', { year: String(year) }), 'aria-pressed': String(chosen), click: () => this.#events.year(chosen ? null : year) }, String(year));
    return h('tr', {}, h('th', { scope: 'row' }, alone), ...cells);
  }

  #pick(month: Month, unit: string): void {
    const date = pictureOf(month);
    this.#said.textContent = `${monthWords(month, unit)}. ${t('picture-of', { day: formatDay(date.date) })}`;
    this.#next.hidden = false;
    this.#events.date(date);
  }
}
