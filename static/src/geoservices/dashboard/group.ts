/** All sites of a geoservice together: carpet and small curves. */
import { h } from '../../dom';
import { Carpet } from './carpet';
import type { Fetched, Site } from './fetching';
import { Multiples, unusualFirst } from './multiples';
import { standingOf, type SiteSeries } from './observation';
import { t } from './words';

const KEY = ['nominal', 'low-1', 'low-3', 'high-1', 'high-3', 'learning', 'uncounted', 'absent'] as const;

/** Names of the colours that a carpet has, of those that its key explains. */
function coloursOf(series: readonly SiteSeries[]): Set<string> {
  const standings = series.flatMap(({ observations }) => observations.map(standingOf));
  return new Set(standings.flatMap((each) => (each.kind === 'outside' ? [`${each.side}-1`, `${each.side}-3`] : [each.kind])));
}

export class Group {
  readonly element: HTMLElement;
  readonly #carpet: Carpet;
  readonly #multiples: Multiples;
  readonly #key = h('ul', { class: 'key' });
  readonly #status = h('p', { class: 'hint', role: 'status' });
  readonly #all: HTMLElement;
  readonly #unit: string;

  constructor(unit: string, choose: (site: number, day: string | null) => void) {
    this.#unit = unit;
    this.#carpet = new Carpet(unit, { choose });
    this.#multiples = new Multiples((site) => choose(site, null));
    this.#all = h('div', { class: 'group-all', hidden: true },
      h('h3', {}, t('carpet')), h('p', { class: 'hint' }, t('carpet-hint')), this.#carpet.element, this.#key,
      h('h3', {}, t('multiples')), this.#multiples.element);
    this.element = h('section', { class: 'card group', 'aria-labelledby': 'group-title' },
      h('h2', { id: 'group-title' }, t('all-sites')), this.#status, this.#all);
    this.#status.textContent = t('reading');
  }

  show(sites: readonly Site[], { series, cut }: Fetched): void {
    const empty = series.every(({ observations }) => observations.length === 0);
    this.#status.textContent = cut ? t('cut') : empty ? t('no-dates-all') : '';
    this.#status.hidden = !cut && !empty;
    this.#all.hidden = empty;
    if (empty) return;
    const order = new Map(unusualFirst(sites).map(({ id }, place) => [id, place]));
    this.#carpet.show([...series].sort((a, b) => (order.get(a.site) ?? 0) - (order.get(b.site) ?? 0)));
    const there = coloursOf(series);
    this.#key.replaceChildren(...KEY.filter((each) => there.has(each)).map((each) => h('li', {}, h('i', { class: 'swatch', style: `background: var(--${each})`, 'aria-hidden': 'true' }), t(`cell-${each}`))));
    this.#multiples.show(sites, series, this.#unit);
  }

  mark(site: number): void {
    this.#carpet.mark(site);
    this.#multiples.mark(site);
  }

  close(): void {
    this.#carpet.close();
  }
}
