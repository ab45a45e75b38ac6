/** The figure of the chart: curve, key, what is at the pointer, and the same as a table. */
import { h, icon } from '../../dom';
import { formatDay } from '../../format';
import { extremesOf, margin, overTime, overYears, type Line, type Lines } from './curve';
import { at, colourOf, Plot } from './plot';
import { cloudy, type Curve, type Observation } from './series';
import { valueWords } from './value';
import { t } from './words';

export interface FigureNames {
  /** Title and unit of a style. */
  style: (id: string) => { title: string; unit: string };
  field: (curve: Curve) => string;
}

const clearWords = ({ clear }: Observation): string => (clear === null ? '' : t('clear', { percent: Math.round(100 * clear) }));

export class Figure {
  readonly element: HTMLElement;
  /** What is told beside the curve: how many dates, all values as a table. */
  readonly details: HTMLElement;
  readonly #names: FigureNames;
  readonly #choose: (item: string) => void;
  readonly #plotRoot = h('div', { class: 'chart-plot', dir: 'ltr', role: 'img' });
  readonly #key = h('ul', { class: 'chart-key' });
  readonly #readout = h('p', { class: 'chart-readout', 'aria-live': 'polite' });
  readonly #extremes = h('div', { class: 'chart-extremes' });
  readonly #summary = h('p', { class: 'hint' });
  readonly #table = h('tbody');
  readonly #show = h('button', { type: 'button', class: 'text-button', click: () => this.#pick(this.#index) }, t('show-date'));
  readonly #plot: Plot;
  #lines: Lines = { times: [], lines: [] };
  #years = false;
  #index: number | null = null;

  constructor(names: FigureNames, choose: (item: string) => void) {
    this.#names = names;
    this.#choose = choose;
    this.#plot = new Plot(this.#plotRoot, { point: (index) => this.#tell(index ?? this.#index), choose: (index) => this.#pick(index) });
    const step = (label: string, path: string, by: number): HTMLElement =>
      h('button', { type: 'button', class: 'round', 'aria-label': label, click: () => this.#step(by) }, icon(path));
    const head = ['date', 'value', 'clear-head'] as const;
    const table = h('table', {}, h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, t(name))))), this.#table);
    this.element = h(
      'figure',
      { class: 'chart-figure', hidden: true },
      this.#plotRoot,
      this.#key,
      this.#extremes,
      h('div', { class: 'chart-steps' }, step(t('earlier'), 'M12 4l-6 6 6 6', -1), h('div', {}, this.#readout, this.#show), step(t('later'), 'M8 4l6 6-6 6', 1)),
    );
    this.details = h('div', { class: 'chart-details', hidden: true }, this.#summary, h('details', { class: 'chart-table' }, h('summary', {}, t('table')), h('div', { tabindex: 0 }, table)));
  }

  /** Shows curves, by years if there is just one and that is wished; `current` is the scene on the map. */
  show(curves: readonly Curve[], years: boolean, current: string | null): void {
    const [first] = curves;
    this.element.hidden = this.details.hidden = !first;
    if (!first) return this.#plot.clear();
    this.#years = years && curves.length === 1;
    this.#lines = this.#years ? overYears(first) : overTime(curves, (curve) => this.#label(curve, curves));
    const unit = (style: string): string => this.#names.style(style).unit;
    const extremes = this.#lines.lines.length === 1 && !this.#years ? extremesOf(this.#lines) : [];
    this.#plot.show({ ...this.#lines, years: this.#years, unit, marked: this.#placeOf(current), extremes });
    this.#extremes.replaceChildren(...extremes.map(({ kind, index }) => this.#extreme(kind, index)));
    this.#plotRoot.ariaLabel = t('plot', { what: this.#lines.lines.map(({ label }) => label).join(', '), dates: t('dates', { count: this.#lines.times.length }) });
    this.#fill();
    this.#tell(this.#beginning(current));
  }

  /** What is told first: the date on the map, else the last one that has a value. */
  #beginning(current: string | null): number {
    const shown = this.#lines.times.indexOf(this.#placeOf(current) ?? NaN);
    if (shown >= 0) return shown;
    const valued = this.#lines.times.map((_, index) => at(this.#lines, index).some(({ observation }) => observation.value !== null));
    return Math.max(0, valued.lastIndexOf(true));
  }

  #extreme(kind: 'highest' | 'lowest', index: number): HTMLElement {
    const [found] = at(this.#lines, index);
    if (!found) return h('span', {});
    const words = { value: valueWords(found.observation, this.#names.style(found.line.style).unit), day: formatDay(found.observation.date) };
    return h('button', { type: 'button', class: 'text-button', click: () => this.#pick(index) }, `${kind === 'highest' ? '▲' : '▼'} ${t(kind, words)}`);
  }

  /** Moves to the date that the map shows, if it is one of the curve's. */
  mark(current: string | null): void {
    const place = this.#placeOf(current);
    this.#plot.mark(place);
    if (place !== null) this.#tell(this.#lines.times.indexOf(place));
  }

  #label(curve: Curve, curves: readonly Curve[]): string {
    const several = (of: (each: Curve) => unknown): boolean => new Set(curves.map(of)).size > 1;
    const { title } = this.#names.style(curve.style);
    const field = this.#names.field(curve);
    if (!several((each) => each.field)) return title;
    return several((each) => each.style) ? `${field} · ${title}` : field;
  }

  #fill(): void {
    const all = this.#lines.lines.flatMap(({ observations }) => observations).filter((each) => each !== null);
    const clouded = all.filter(cloudy).length;
    const unknown = all.every(({ clear }) => clear === null);
    const clouds = unknown ? t('clouds-unknown') : clouded > 0 ? t('cloudy-dates', { count: clouded }) : '';
    const margins = all.some((each) => margin(each) !== null) ? ` ${t('margin')}` : '';
    this.#summary.textContent = `${[t('dates', { count: this.#lines.times.length }), clouds].filter(Boolean).join(', ')}.${margins}`;
    const sign = (kind: string, words: string, style = ''): HTMLElement => h('li', {}, h('i', { class: kind, style, 'aria-hidden': 'true' }), words);
    const several = this.#lines.lines.length > 1 || this.#years;
    const names = several ? this.#lines.lines.map(({ label }, index) => sign('line', label, `background: ${colourOf(index)}`)) : [];
    this.#key.replaceChildren(
      ...names,
      ...(margins ? [sign('band', t('key-band'), `background: ${colourOf(0)}`)] : []),
      ...(clouded > 0 ? [sign('cloudy', t('key-cloudy'))] : []),
    );
    this.#key.hidden = this.#key.childElementCount === 0;
    this.#table.replaceChildren(...this.#lines.lines.flatMap((line) => this.#rows(line)));
  }

  #rows(line: Line): HTMLElement[] {
    const { unit } = this.#names.style(line.style);
    const several = this.#lines.lines.length > 1 && !this.#years;
    return line.observations.flatMap((each) => {
      if (!each) return [];
      const name = several ? `${line.label}, ${formatDay(each.date)}` : formatDay(each.date);
      const clear = each.clear === null ? '' : `${Math.round(100 * each.clear)} %`;
      return [h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, valueWords(each, unit)), h('td', {}, clear))];
    });
  }

  #tell(index: number | null): void {
    this.#index = index;
    const found = index === null ? [] : at(this.#lines, index);
    this.#show.disabled = found.length === 0;
    const [first] = found;
    if (!first) return void (this.#readout.textContent = '');
    const several = this.#lines.lines.length > 1;
    const parts = found.map(({ line, observation }) => {
      const words = valueWords(observation, this.#names.style(line.style).unit);
      return several ? `${this.#years ? formatDay(observation.date) : line.label}: ${words}` : words;
    });
    const head = this.#years ? [] : [formatDay(first.observation.date)];
    this.#readout.textContent = [...head, ...parts, clearWords(first.observation)].filter(Boolean).join(' · ');
  }

  #step(by: number): void {
    const last = this.#lines.times.length - 1;
    this.#tell(Math.min(last, Math.max(0, (this.#index ?? last) + by)));
  }

  #pick(index: number | null): void {
    const [found] = index === null ? [] : at(this.#lines, index);
    this.#tell(index);
    if (found) this.#choose(found.observation.item);
  }

  #placeOf(item: string | null): number | null {
    if (item === null) return null;
    const index = this.#lines.times.findIndex((_, place) => at(this.#lines, place).some(({ observation }) => observation.item === item));
    return this.#lines.times[index] ?? null;
  }
}
