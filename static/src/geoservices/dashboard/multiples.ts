/** Small curves of all sites on one scale: what is unusual first. */
import { h, svg } from '../../dom';
import { valueWords } from '../../tools/chart/value';
import type { Site } from './fetching';
import { counts, extentOf, nominalSpans, rangeOf, standingOf, type Observation, type SiteSeries, type Span } from './observation';
import { t } from './words';

const WIDTH = 200;
const HEIGHT = 56;
/** Curves that are shown before one asks for more. */
const PAGE = 24;

type Place = (at: number, value: number) => string;

function placing(from: number, to: number, [low, high]: readonly [number, number]): Place {
  const x = (at: number): number => ((at - from) / (to - from || 1)) * WIDTH;
  const y = (value: number): number => HEIGHT - ((value - low) / (high - low)) * HEIGHT;
  return (at, value) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`;
}

const seconds = ({ date }: Observation): number => date.getTime() / 1000;

function band(spans: readonly Span[], place: Place, [low, high]: readonly [number, number]): SVGElement {
  const upper = spans.map((each) => place(each.at, each.high ?? high));
  const lower = [...spans].reverse().map((each) => place(each.at, each.low ?? low));
  return svg('polygon', { class: 'nominal', points: [...upper, ...lower].join(' ') });
}

function triangle(place: string, side: 'low' | 'high'): string {
  const [x = 0, y = 0] = place.split(',').map(Number);
  const way = side === 'low' ? 1 : -1;
  return `${x},${y + 5 * way} ${x - 4},${y - 3 * way} ${x + 4},${y - 3 * way}`;
}

function curve(series: SiteSeries, from: number, to: number, range: readonly [number, number]): SVGElement {
  const place = placing(from, to, range);
  const known = series.observations.filter(counts);
  const points = known.map((one) => place(seconds(one), one.value ?? 0));
  const outside = known.flatMap((one) => {
    const standing = standingOf(one);
    return standing.kind === 'outside' ? [svg('polygon', { class: `${standing.side}`, points: triangle(place(seconds(one), one.value ?? 0), standing.side) })] : [];
  });
  return svg('svg', { viewBox: `0 -5 ${WIDTH} ${HEIGHT + 10}`, preserveAspectRatio: 'none', 'aria-hidden': 'true', focusable: 'false' },
    ...nominalSpans(known).map((spans) => band(spans, place, range)), svg('polyline', { points: points.join(' ') }), ...outside);
}

const ORDER = { low: 0, high: 0, nominal: 1, learning: 2, unknown: 3 } as const;

/** Those with an alert first, then those outside; else as they are. */
export const unusualFirst = (sites: readonly Site[]): Site[] => {
  const rank = ({ alert, state }: Site): number => (alert ? -1 : ORDER[state]);
  return [...sites].sort((a, b) => rank(a) - rank(b));
};

export class Multiples {
  readonly element: HTMLElement;
  readonly #list = h('ul', { class: 'multiples' });
  readonly #more = h('button', { type: 'button', class: 'button', hidden: true, click: () => this.#add() }, t('more-sites'));
  readonly #choose: (site: number) => void;
  #waiting: (() => HTMLElement)[] = [];

  constructor(choose: (site: number) => void) {
    this.#choose = choose;
    this.element = h('div', { class: 'multiples-block' }, this.#list, this.#more);
  }

  show(sites: readonly Site[], series: readonly SiteSeries[], unit: string): void {
    const all = series.flatMap(({ observations }) => observations.filter(counts));
    const range = rangeOf(all);
    const [from, to] = extentOf(all.map(seconds));
    const bySite = new Map(series.map((each) => [each.site, each]));
    this.#list.replaceChildren();
    this.#waiting = unusualFirst(sites).map((site) => () => this.#one(site, bySite.get(site.id), { from, to, range, unit }));
    this.#add();
  }

  /** Says of which site the chart is. */
  mark(site: number): void {
    for (const button of this.#list.querySelectorAll('button')) button.setAttribute('aria-pressed', String(button.dataset['site'] === String(site)));
  }

  #add(): void {
    const pressed = this.#list.querySelector<HTMLElement>('[aria-pressed="true"]')?.dataset['site'];
    this.#list.append(...this.#waiting.splice(0, PAGE).map((make) => make()));
    this.#more.hidden = this.#waiting.length === 0;
    if (pressed) this.mark(Number(pressed));
  }

  #one(site: Site, series: SiteSeries | undefined, { from, to, range, unit }: { from: number; to: number; range: readonly [number, number]; unit: string }): HTMLElement {
    const latest = site.value === null ? t('state-unknown') : valueWords(site, unit);
    const drawn = series && series.observations.some(counts) ? curve(series, from, to, range) : h('span', { class: 'sub' }, t('no-clear-short'));
    return h('li', {}, h('button', { type: 'button', 'data-site': site.id, 'aria-pressed': 'false', click: () => this.#choose(site.id) },
      h('span', { class: 'multiple-head' }, h('bdi', {}, site.name), h('span', { class: 'dot', 'data-state': site.state, 'aria-hidden': 'true' })),
      h('span', { class: 'multiple-plot', dir: 'ltr' }, drawn),
      h('span', { class: 'sub' }, h('bdi', {}, latest), ' · ', t(`state-${site.state}`), site.alert ? ` · ${t('alert')}` : '')));
  }
}
