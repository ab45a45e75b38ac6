/** Whether something is higher at one date than at another, over an area, and whether that is sure: in a sentence. */
import type { Item, SceneInfo, Style } from '../../api';
import { h } from '../../dom';
import { dayOf, isoDay } from '../../format';
import { polygonOf, roundedBox } from '../../geo';
import type { MapView } from '../../map/map';
import { words } from '../../words/words';
import type { Shape } from '../chart/fields';
import { sentence } from '../common';
import { firstIndicator, indicatorsOf } from '../chart/indicators';
import { fetchSeries, type Observation } from '../chart/series';
import { formatValue } from '../chart/value';
import { margin } from '../chart/curve';

type Key = keyof typeof import('../../words/compare/en.json');
const t = words<Key>('compare');
/** The area follows the map when it has rested for so long, in milliseconds. */
const REST = 800;
/** Share of the area that has to be clear on both dates: means of other parts of it are of other ground. */
const CLEAR = 0.9;

export interface Difference {
  value: number;
  /** Half the interval that holds the true difference in 95 of 100 cases; null where an archive doesn't tell. */
  margin: number | null;
  verdict: 'higher' | 'lower' | 'unsure' | 'unknown';
}

type Mean = Pick<Observation, 'value' | 'uncertainty'>;

/** Of two means whose errors have nothing to do with one another (JCGM 100:2008, 5.1.2); null where one has no value. */
export function differenceOf(now: Mean | null, before: Mean | null): Difference | null {
  if (now?.value == null || before?.value == null) return null;
  const value = now.value - before.value;
  const [one, other] = [now.uncertainty, before.uncertainty];
  if (one === null || other === null) return { value, margin: null, verdict: 'unknown' };
  const wide = margin({ uncertainty: Math.hypot(one, other) }) ?? 0;
  const sure = Math.abs(value) > wide;
  return { value, margin: wide, verdict: sure ? (value > 0 ? 'higher' : 'lower') : 'unsure' };
}

export interface Compared {
  now: Item;
  before: Item;
  info: SceneInfo;
  theirs: SceneInfo;
  /** The style on the map. */
  style: string | null;
}

async function meanOf({ collection, id, datetime }: Item, style: Style, area: Shape, signal: AbortSignal): Promise<Observation | null> {
  const day = isoDay(datetime);
  const [curve] = await fetchSeries({ collection, styles: [style], fields: [{ name: '', geometry: area }], from: day, to: day }, style, signal);
  return curve?.observations.find(({ item }) => item === id) ?? null;
}

export class Verdict {
  readonly element: HTMLElement;
  readonly #map: Promise<MapView | null>;
  readonly #measure = h('select', { 'aria-label': t('measure'), change: () => void this.#judge() });
  readonly #sentence = h('p', { class: 'compare-sentence', role: 'status' });
  readonly #meaning = h('p', { class: 'hint compare-meaning' });
  readonly #detail = h('p', { class: 'hint' });
  readonly #draw = h('button', { type: 'button', click: () => void this.#area() }, t('draw-area'));
  readonly #view = h('button', { type: 'button', hidden: true, click: () => this.#takeView() }, t('whole-view'));
  #compared: Compared | null = null;
  /** What was drawn; null is what the map shows. */
  #drawn: Shape | null = null;
  #work = new AbortController();
  #drawing = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #moved = (): void => {
    clearTimeout(this.#timer);
    if (!this.#drawn) this.#timer = setTimeout(() => void this.#judge(), REST);
  };

  constructor(map: Promise<MapView | null>) {
    this.#map = map;
    this.element = h('section', { class: 'compare-verdict', hidden: true },
      h('label', { class: 'compare-field' }, t('measure'), this.#measure), this.#sentence, this.#meaning, h('details', {}, h('summary', {}, t('figures')), this.#detail), h('div', { class: 'compare-row' }, this.#draw, this.#view));
  }

  /** Compares two scenes; null stops. */
  show(compared: Compared | null): void {
    const watched = this.#compared !== null;
    this.#compared = compared;
    if ((compared !== null) !== watched) void this.#map.then((map) => map?.maplibre[compared ? 'on' : 'off']('moveend', this.#moved));
    if (!compared) return this.#stop();
    const both = indicatorsOf(compared.info.styles).filter(({ id }) => compared.theirs.styles.some((each) => each.id === id));
    const kept = both.some(({ id }) => id === this.#measure.value) && !both.some(({ id }) => id === compared.style);
    const chosen = kept ? this.#measure.value : firstIndicator(both, compared.style);
    this.#measure.replaceChildren(...both.map(({ id, title }) => h('option', { value: id, selected: id === chosen }, title)));
    this.element.hidden = both.length === 0;
    void this.#judge();
  }

  #stop(): void {
    this.#work.abort();
    this.#drawing.abort();
    clearTimeout(this.#timer);
    this.element.hidden = true;
    if (this.#drawn) void this.#map.then((map) => map?.showShape(null));
    this.#drawn = null;
    this.#view.hidden = true;
  }

  async #area(): Promise<void> {
    const map = await this.#map;
    if (!map) return;
    this.#drawing.abort();
    this.#drawing = new AbortController();
    this.#sentence.textContent = t('draw-hint');
    const drawn = await map.draw('rectangle', { signal: this.#drawing.signal });
    if (drawn?.type !== 'Polygon') return;
    this.#drawn = drawn;
    map.showShape(drawn);
    this.#view.hidden = false;
    await this.#judge();
  }

  #takeView(): void {
    this.#drawn = null;
    this.#view.hidden = true;
    void this.#map.then((map) => map?.showShape(null));
    void this.#judge();
  }

  async #judge(): Promise<void> {
    this.#work.abort();
    this.#work = new AbortController();
    const { signal } = this.#work;
    const [compared, map] = [this.#compared, await this.#map];
    const style = compared?.info.styles.find(({ id }) => id === this.#measure.value);
    if (!compared || !map || !style) return;
    const area = this.#drawn ?? polygonOf(roundedBox(map.view()));
    this.#sentence.textContent = t('judging');
    this.#meaning.textContent = this.#detail.textContent = '';
    try {
      const means = await Promise.all([compared.now, compared.before].map((item) => meanOf(item, style, area, signal)));
      if (!signal.aborted) this.#tell(compared, style, means[0] ?? null, means[1] ?? null);
    } catch (error) {
      if (!signal.aborted) this.#sentence.textContent = sentence(error);
    }
  }

  #tell({ now, before }: Compared, style: Style, one: Observation | null, other: Observation | null): void {
    const found = differenceOf(one, other);
    const dates = { now: dayOf(now), before: dayOf(before) };
    if (!found || one?.value == null || other?.value == null) return void (this.#sentence.textContent = t('verdict-none', dates));
    const unit = style.legend?.unit ?? '';
    const shares = [other, one].map(({ clear: share }) => Math.round(100 * (share ?? 1)));
    if (Math.min(...shares) < 100 * CLEAR) return void (this.#sentence.textContent = t('verdict-ground', { ...dates, earlier: shares[0] ?? 0, later: shares[1] ?? 0 }));
    const value = (each: Observation): string => formatValue(each.value ?? 0, margin(each), unit);
    const signed = `${found.value > 0 ? '+' : ''}${formatValue(found.value, found.margin, unit)}`;
    this.#sentence.textContent = t(`verdict-${found.verdict}`, { ...dates, what: style.title, difference: signed, earlier: value(other), later: value(one) });
    this.#meaning.textContent = style.description; // higher may still be nothing: what its values mean an indicator says itself
    const clear = ({ clear: share }: Observation): string => (share === null ? '' : ` ${t('clear-share', { percent: Math.round(100 * share) })}`);
    const area = t(this.#drawn ? 'over-area' : 'over-view');
    this.#detail.textContent = `${area} ${dates.before}: ${value(other)}${clear(other)}. ${dates.now}: ${value(one)}${clear(one)}. ${found.margin === null ? '' : t('verdict-margin')}`;
  }
}
