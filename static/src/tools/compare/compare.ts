/** Two pictures of one place: by a border, side by side, in turn, through one another, or what they differ by. */
import { ApiError, fetchItem, fetchTileSet, namesOf, withRendering, type Item, type Layer, type SceneInfo, type TileSet } from '../../api';
import { h } from '../../dom';
import { dayOf } from '../../format';
import { withOwn } from '../../documents';
import { fetchInfo } from '../../info';
import type { MapView } from '../../map/map';
import { lessMotion } from '../../motion';
import { addSheet } from '../../sheets';
import type { Store } from '../../store';
import { pictureQuery, stretchOf } from '../../stretch';
import { words } from '../../words/words';
import { sentence } from '../common';
import type { Context, ToolPanel } from '../registry';
import { choicesOf, firstChoice } from './choices';
import css from './compare.css';
import { againstQuery, canMask, fetchDifference, readDifference, tellErrors } from './difference';
import { formatComparison, MODES, parseComparison, type Comparison } from './link';
import { Stage } from './stage';
import { Verdict } from './verdict';

type Key = keyof typeof import('../../words/compare/en.json');
const t = words<Key>('compare');
const BLINK = 1000;

addSheet(css);

class Compare implements ToolPanel {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #map: Promise<MapView | null>;
  readonly #modes = h('div', { class: 'chips' });
  readonly #with = h('select', { change: () => this.#choose() });
  readonly #style = h('select', { change: () => this.#set({ style: this.#style.value || null }) });
  readonly #styleField = h('label', { class: 'compare-field' }, t('style'), this.#style);
  readonly #extra = h('div', { class: 'compare-row' });
  readonly #said = h('p', { class: 'compare-said', role: 'status' });
  /** All but what is said: hidden where there is nothing to compare with. */
  readonly #controls: HTMLElement;
  readonly #verdict: Verdict;
  #comparison: Comparison | null = null;
  #other: Item | null = null;
  #stage: Stage | null = null;
  #open = false;
  #drawing = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #release: (() => void) | null = null;

  constructor({ store, map }: Context) {
    this.#store = store;
    this.#map = map;
    this.#modes.append(...MODES.map((mode) => h('label', { class: 'chip' },
      h('input', { type: 'radio', name: 'compare-mode', value: mode, change: () => this.#set({ mode, at: 0.5 }) }),
      h('span', {}, t(mode)))));
    this.#verdict = new Verdict(map);
    this.#controls = h('div', { class: 'compare-controls' },
      h('label', { class: 'compare-field' }, t('with'), this.#with),
      h('fieldset', {}, h('legend', {}, t('mode')), this.#modes),
      this.#styleField, this.#extra, this.#verdict.element);
    this.element = h('div', { class: 'compare' }, this.#controls, this.#said);
    store.watch(['item', 'items', 'series'], () => this.#fill());
    store.watch(['layer', 'info', 'style', 'rendering'], () => {
      if (this.#open) void (this.#other ? this.#draw() : this.#begin());
    });
    // the second handle of the timeline
    store.watch(['second'], ({ second }) => {
      if (this.#open && second && second.key !== this.#other?.key) this.#compareWith(second);
    });
  }

  open(): void {
    this.#open = true;
    this.#comparison ??= parseComparison(this.#store.state.extras.get('compare') ?? '');
    this.#fill();
    void this.#begin();
  }

  close(): void {
    this.#open = false;
    this.#drawing.abort();
    clearInterval(this.#timer);
    this.#release?.();
    this.#verdict.show(null);
    this.#stage?.remove();
    this.#stage = null;
    this.#store.setExtra('compare', null);
    this.#store.update({ second: null });
  }

  /** Begins with what the link names, else with what is worth comparing with first. */
  async #begin(): Promise<void> {
    const { item } = this.#store.state;
    this.#controls.hidden = !item;
    this.#said.textContent = item ? '' : t('no-scene');
    if (!item) return;
    if (this.#comparison && !this.#other) {
      const { collection, item: id } = this.#comparison;
      this.#other = await this.#find(collection, id).catch((error: unknown) => this.#fail(error));
      if (!this.#other) return;
    }
    if (!this.#other) {
      const first = firstChoice(item, choicesOf(this.#store.state));
      return first ? this.#compareWith(first) : this.#beginWithStyle(item);
    }
    await this.#draw();
  }

  /** A scene alone is compared with itself in another style. */
  #beginWithStyle(item: Item): void {
    const { info, style } = this.#store.state;
    const another = info?.styles.find(({ id }) => id !== style);
    this.#controls.hidden = !another;
    if (!another) return void (this.#said.textContent = info ? t('nothing') : t('loading'));
    this.#other = item;
    this.#set({ style: another.id });
  }

  async #find(collection: string, id: string): Promise<Item> {
    const { items, series } = this.#store.state;
    return [...series, ...items].find((each) => each.collection === collection && each.id === id) ?? fetchItem(collection, id);
  }

  #compareWith(other: Item): void {
    this.#other = other;
    const { mode = 'swipe', at = 0.5, style = null } = this.#comparison ?? {};
    this.#set({ mode, at, style, collection: other.collection, item: other.id });
  }

  #choose(): void {
    const { dates, scenes } = choicesOf(this.#store.state);
    const { item } = this.#store.state;
    const chosen = [...dates, ...scenes, ...(item ? [item] : [])].find(({ key }) => key === this.#with.value);
    if (chosen) this.#compareWith(chosen);
  }

  #set(change: Partial<Comparison>): void {
    if (!this.#other) return;
    const { collection, id: item } = this.#other;
    this.#comparison = { mode: 'swipe', at: 0.5, style: null, collection, item, ...this.#comparison, ...change };
    void this.#draw();
  }

  /** The list of what there is to compare with. */
  #fill(): void {
    const { state } = this.#store;
    const { dates, scenes } = choicesOf(state);
    const option = (item: Item): HTMLOptionElement => {
      const clouds = item.cloudCover === null ? '' : ` · ☁ ${Math.round(item.cloudCover)} %`;
      return h('option', { value: item.key }, item.dated ? `${dayOf(item)}${clouds}` : item.id);
    };
    const named = (item: Item): HTMLOptionElement => h('option', { value: item.key }, `${item.collection} · ${dayOf(item)}`);
    const group = (label: string, options: HTMLOptionElement[]): HTMLElement[] => (options.length > 0 ? [h('optgroup', { label }, ...options)] : []);
    this.#with.replaceChildren(
      ...group(t('dates'), dates.map(option)),
      ...group(t('scenes'), scenes.map(named)),
      ...group(t('same-scene'), state.item ? [option(state.item)] : []));
    this.#mark();
    if (this.#open && !this.#comparison && dates.length > 0) void this.#begin();
  }

  #mark(): void {
    if (this.#other) this.#with.value = this.#other.key;
    for (const input of this.#modes.querySelectorAll('input')) input.checked = input.value === this.#comparison?.mode;
    this.#styleField.hidden = this.#comparison?.mode === 'difference';
  }

  /** Draws the comparison; a later call makes an earlier one stop. */
  async #draw(): Promise<void> {
    this.#drawing.abort();
    this.#drawing = new AbortController();
    const { signal } = this.#drawing;
    const [comparison, other, map] = [this.#comparison, this.#other, await this.#map];
    const { layer, item, info } = this.#store.state;
    if (!this.#open || signal.aborted || !comparison || !other || !map || !layer || !item || !info) return;
    this.#mark();
    this.#said.textContent = '';
    this.#store.setExtra('compare', formatComparison(comparison));
    this.#store.update({ second: this.#store.state.series.some(({ key }) => key === other.key) ? other : null });
    this.#stage ??= this.#newStage(map);
    try {
      await this.#stage.lay(comparison.mode, comparison.at);
      const told = await fetchInfo(other.collection, other.id, signal);
      const theirs = { ...told, styles: await withOwn(told.styles, this.#store.state.extras, other.collection, namesOf(told.bands)) };
      this.#listStyles(theirs);
      this.#furnish(comparison, map, theirs);
      const dates = 'item' in layer && other.key !== item.key;
      this.#verdict.show(dates ? { now: item, before: other, info, theirs, style: this.#store.state.style } : null);
      const tiles = await this.#tiles(comparison, layer, theirs, signal);
      if (signal.aborted) return;
      const there = comparison.mode === 'difference' ? t('legend', { now: dayOf(item), before: dayOf(other) }) : this.#titleOf(other, comparison.style, theirs);
      await this.#stage.show(tiles, this.#titleOf(item, null, info), there);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #newStage(map: MapView): Stage {
    const percent = (at: number): string => t('bar-value', { count: Math.round(at * 100) });
    return new Stage(map, { bar: t('bar'), percent, loading: t('loading') }, {
      moved: (at) => {
        if (!this.#comparison) return;
        this.#comparison = { ...this.#comparison, at };
        this.#store.setExtra('compare', formatComparison(this.#comparison));
      },
      problem: (words) => this.#fail(new ApiError(words, null)),
    });
  }

  async #tiles({ mode, style }: Comparison, layer: Layer, theirs: SceneInfo, signal: AbortSignal): Promise<TileSet> {
    const { state } = this.#store;
    const other = this.#other as Item; // what is drawn has one
    if (mode === 'difference') {
      if (!('item' in layer)) throw new ApiError(t('only-scenes'), null);
      return fetchDifference(layer, againstQuery(state, other, theirs), signal);
    }
    const tiles = await fetchTileSet({ collection: other.collection, item: other.id }, signal);
    // one stretch for both, unless they show different things
    const another = theirs.styles.find(({ id }) => id === style) ?? null;
    return { ...tiles, template: withRendering(tiles.template, another ? pictureQuery(another, stretchOf(state.extras)) : state.rendering) };
  }

  #titleOf(item: Item, style: string | null, { styles }: SceneInfo): string {
    const shown = styles.find(({ id }) => id === (style ?? this.#store.state.style));
    return [item.dated ? dayOf(item) : item.id, shown?.title ?? ''].filter(Boolean).join(' · ');
  }

  #listStyles({ styles }: SceneInfo): void {
    const options = styles.map(({ id, title }) => h('option', { value: id }, title));
    this.#style.replaceChildren(h('option', { value: '' }, t('same-style')), ...options);
    this.#style.value = this.#comparison?.style ?? '';
  }

  /** What a mode needs besides. */
  #furnish({ mode, at }: Comparison, map: MapView, theirs: SceneInfo): void {
    clearInterval(this.#timer);
    this.#release?.();
    this.#release = null;
    this.#extra.replaceChildren();
    if (mode === 'fade') this.#extra.append(this.#opacity(at));
    if (mode === 'blink') this.#extra.append(...this.#blinking());
    if (mode !== 'difference') return;
    this.#extra.append(this.#legend(theirs));
    this.#release = map.takeClicks((lon, lat) => void this.#read(map, lon, lat, theirs));
  }

  #opacity(at: number): HTMLElement {
    const range = h('input', { type: 'range', min: 0, max: 100, step: 5, value: Math.round(at * 100), input: () => void this.#stage?.lay('fade', Number(range.value) / 100), change: () => {
      if (this.#comparison) this.#comparison = { ...this.#comparison, at: Number(range.value) / 100 };
      if (this.#comparison) this.#store.setExtra('compare', formatComparison(this.#comparison));
    } });
    return h('label', { class: 'compare-field' }, t('opacity'), range);
  }

  #blinking(): HTMLElement[] {
    let seen = true;
    const turn = (): void => {
      seen = !seen;
      if (this.#stage) this.#stage.seen = seen;
      button.setAttribute('aria-pressed', String(seen));
    };
    const button = h('button', { type: 'button', 'aria-pressed': 'true', click: turn }, t('switch'));
    const still = lessMotion();
    const run = (): void => {
      clearInterval(this.#timer);
      if (box.checked) this.#timer = setInterval(turn, BLINK);
    };
    const box = h('input', { type: 'checkbox', checked: !still, change: run });
    run();
    return [button, h('label', {}, box, t('by-itself'))];
  }

  #legend(theirs: SceneInfo): HTMLElement {
    const { info, style } = this.#store.state;
    const shown = info?.styles.find(({ id }) => id === style)?.legend;
    const half = shown ? (shown.maximum - shown.minimum) / 2 : null;
    const scale = half === null ? [t('less'), t('more')] : [-half, 0, half].map((value) => Number(value.toPrecision(3)).toString());
    return h('div', { class: 'compare-legend' },
      h('div', { class: 'compare-ramp', 'aria-hidden': 'true' }),
      h('div', { class: 'compare-scale' }, ...scale.map((value) => h('span', {}, value))),
      h('p', { class: 'hint' }, t(info && tellErrors(info, theirs) ? 'chance' : 'untold')),
      info && canMask(info, theirs) && h('p', { class: 'hint' }, t('masked')),
      h('p', { class: 'hint' }, t('click')));
  }

  async #read(map: MapView, lon: number, lat: number, theirs: SceneInfo): Promise<void> {
    const { layer } = this.#store.state;
    if (!layer || !('item' in layer) || !this.#other) return;
    map.setSample([lon, lat]);
    this.#said.textContent = t('loading');
    try {
      this.#said.textContent = await readDifference(layer, againstQuery(this.#store.state, this.#other, theirs), lon, lat, t);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): null {
    this.#said.textContent = sentence(error);
    return null;
  }
}

export const create = (context: Context): ToolPanel => new Compare(context);
