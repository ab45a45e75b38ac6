/** The chart of a site: curve, key, the date that is pointed at, and the same as a table and as a file. */
import { interval } from '../../api';
import { h, icon } from '../../dom';
import { formatDay } from '../../format';
import { valueWords } from '../../tools/chart/value';
import { address, pathOf } from '../api';
import type { Indicator } from '../model';
import { onColours } from './colours';
import type { Alert } from './fetching';
import { counts, otherYears, standingOf, type Observation, type SiteSeries } from './observation';
import { within, type Period } from './period';
import type { Plot } from './plot';
import { percentWords, sceneLink, standingWords } from './telling';
import { t } from './words';

export interface Charted {
  slug: string;
  indicator: Indicator;
  series: SiteSeries;
  period: Period;
  alerts: readonly Alert[];
}

const DAY = 86_400;
/** Room at the ends of the axis, as a share of it. */
const ROOM = 0.02;

export class Figure {
  readonly element: HTMLElement;
  readonly #title = h('h2', { id: 'chart-title' }, t('over-time'));
  readonly #plotRoot = h('div', { class: 'plot', dir: 'ltr', role: 'img', hidden: true });
  readonly #key = h('ul', { class: 'key' });
  readonly #state = h('p', { class: 'note', role: 'status' });
  readonly #readout = h('p', { class: 'readout', 'aria-live': 'polite' });
  readonly #scene = h('a', { class: 'text-button' }, t('show-scene'));
  readonly #rows = h('tbody');
  readonly #csv = h('a', { class: 'button', download: '' }, t('csv'));
  readonly #stop: () => void;
  #plot: Plot | null = null;
  #charted: Charted | null = null;
  #shown: Observation[] = [];
  #index = 0;

  constructor() {
    const step = (label: string, path: string, by: number): HTMLElement =>
      h('button', { type: 'button', class: 'round', 'aria-label': label, click: () => this.#tell(this.#index + by) }, icon(path));
    const heads = (['date', 'value', 'nominal', 'state', 'clear'] as const).map((name) => h('th', { scope: 'col' }, t(name)));
    const table = h('table', {}, h('caption', { class: 'visually-hidden' }, t('table')), h('thead', {}, h('tr', {}, ...heads)), this.#rows);
    this.element = h('section', { class: 'card figure', 'aria-labelledby': 'chart-title' },
      h('div', { class: 'title-row' }, this.#title, this.#csv),
      this.#state, this.#plotRoot, this.#key,
      h('div', { class: 'steps', dir: 'ltr' }, step(t('earlier'), 'M12 4l-6 6 6 6', -1), h('div', { dir: 'auto' }, this.#readout, this.#scene), step(t('later'), 'M8 4l6 6-6 6', 1)),
      h('p', { class: 'hint' }, t('margin')),
      h('details', { class: 'values' }, h('summary', {}, t('table')), h('div', { tabindex: 0, role: 'region', 'aria-label': t('table') }, table)));
    this.#wait();
    this.#stop = onColours(() => void this.#draw());
  }

  async show(charted: Charted, day: string | null): Promise<void> {
    this.#charted = charted;
    const { series, indicator, period, slug } = charted;
    const dates = series.observations.filter(({ date }) => within(period, date));
    this.#shown = dates.filter(({ value }) => value !== null);
    this.#title.replaceChildren(h('bdi', {}, series.name), ' · ', h('bdi', {}, indicator.title));
    this.#csv.href = address(pathOf(slug, 'series'), { f: 'csv', indicator: indicator.id, site: series.site, datetime: interval(period.from, period.to) }).href;
    this.#csv.download = `${slug}_${series.site}_${indicator.id}.csv`;
    this.#explain(dates);
    this.#rows.replaceChildren(...[...dates].reverse().map((one) => this.#row(one)));
    await this.#draw();
    const place = day === null ? -1 : this.#shown.findIndex(({ date }) => date.toISOString().startsWith(day));
    this.#tell(place >= 0 ? place : this.#shown.map(counts).lastIndexOf(true));
  }

  /** Says that it will have something to show. */
  #wait(): void {
    this.#state.textContent = t('reading-site');
    this.#state.hidden = false;
  }

  close(): void {
    this.#stop();
    this.#plot?.close();
  }

  /** Says why there is no curve, or no limits yet; names what the chart shows. */
  #explain(dates: readonly Observation[]): void {
    const { indicator, alerts } = this.#charted as Charted;
    const known = dates.filter(counts);
    const learning = known.length > 0 && known.every((one) => standingOf(one).kind === 'learning');
    const words = dates.length === 0 ? t('no-dates') : known.length === 0 ? t('no-clear') : learning ? t(`learning-${indicator.nominal.kind}`, { count: indicator.nominal.least }) : '';
    this.#state.textContent = words;
    this.#state.hidden = words === '';
    this.#plotRoot.hidden = this.#shown.length === 0;
    const sign = (kind: string, key: Parameters<typeof t>[0]): HTMLElement => h('li', {}, h('i', { class: `sign ${kind}`, 'aria-hidden': 'true' }), t(key));
    this.#key.replaceChildren(
      ...(known.some(({ uncertainty }) => uncertainty !== null) ? [sign('value', 'key-value')] : []),
      ...(known.some((one) => one.low !== null || one.high !== null) ? [sign('nominal', 'key-nominal')] : []),
      ...(otherYears((this.#charted as Charted).series.observations).length > 0 ? [sign('ribbon', 'key-years')] : []),
      ...(dates.some(({ side }) => side === 'low') ? [sign('outside low', 'key-low')] : []),
      ...(dates.some(({ side }) => side === 'high') ? [sign('outside high', 'key-high')] : []),
      ...(this.#shown.some((one) => !counts(one)) ? [sign('uncounted', 'key-uncounted')] : []),
      ...(alerts.length > 0 ? [sign('alert', 'key-alert')] : []),
    );
    this.#plotRoot.ariaLabel = t('plot', { what: this.#title.textContent ?? '', dates: t('dates', { count: known.length }), outside: t('outside-dates', { count: known.filter(({ side }) => side).length }) });
  }

  async #draw(): Promise<void> {
    const { Plot } = await import('./plot');
    const charted = this.#charted;
    const [first, last] = [this.#shown[0], this.#shown.at(-1)];
    if (!charted || !first || !last) return;
    this.#plot ??= new Plot(this.#plotRoot, { point: (index) => this.#tell(index, false), choose: (index) => this.#tell(index) });
    const seconds = (date: Date): number => date.getTime() / 1000;
    const room = Math.max(4 * DAY, ROOM * (seconds(last.date) - seconds(first.date)));
    const ends = { from: seconds(first.date) - room, to: seconds(last.date) + room };
    const alerts = charted.alerts.map(({ from, until, severity }) => ({ from: seconds(from), until: seconds(until), severity }));
    this.#plot.show({ observations: charted.series.observations, ...ends, alerts }, this.#shown);
    this.#markAt(this.#index);
  }

  #row(one: Observation): HTMLElement {
    const { unit } = (this.#charted as Charted).indicator;
    const limit = (value: number | null): string => (value === null ? '' : valueWords({ value, uncertainty: null }, ''));
    const nominal = one.low !== null && one.high !== null ? `${limit(one.low)} – ${limit(one.high)}` : one.low !== null ? `≥ ${limit(one.low)}` : one.high !== null ? `≤ ${limit(one.high)}` : '';
    return h('tr', {}, h('th', { scope: 'row' }, formatDay(one.date)), h('td', {}, h('bdi', {}, valueWords(one, unit))), h('td', {}, h('bdi', { dir: 'ltr' }, nominal)),
      h('td', {}, standingWords(one)), h('td', {}, percentWords(one.clear)));
  }

  /** Says a date; `mark`: also in the chart. */
  #tell(index: number, mark = true): void {
    this.#index = Math.min(this.#shown.length - 1, Math.max(0, index));
    const one = this.#shown[this.#index];
    this.#scene.hidden = !one?.collection;
    if (mark) this.#markAt(this.#index);
    if (!one) return void (this.#readout.textContent = '');
    const { unit } = (this.#charted as Charted).indicator;
    this.#readout.replaceChildren(formatDay(one.date), ' · ', h('bdi', {}, valueWords(one, unit)), ' · ', standingWords(one));
    this.#scene.href = sceneLink(one);
  }

  #markAt(index: number): void {
    const one = this.#shown[index];
    this.#plot?.mark(one ? one.date.getTime() / 1000 : null);
  }
}
