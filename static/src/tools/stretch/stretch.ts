/** Contrast: which values are black and white, by hand, by the scene's percentiles or by those of the view. */
import { ApiError, type Range, type Style } from '../../api';
import { h } from '../../dom';
import { dayOf } from '../../format';
import { locale } from '../../language';
import { addSheet } from '../../sheets';
import type { State } from '../../store';
import { GAMMA, pictureQuery, rangesOf, shared, stretchOf, type Stretch } from '../../stretch';
import type { Context, ToolPanel } from '../registry';
import { Handles } from './handles';
import { CUTS, fetchDistributions, isEmpty, overlap, rangeOf, type Cut, type Distribution } from './histogram';
import { extentOf } from './outline';
import css from './stretch.css';
import { t, type Key } from './words';

addSheet(css);

/** The histogram follows the map when it has rested for so long, in milliseconds. */
const REST = 300;
type Channel = 'all' | 'red' | 'green' | 'blue';
const CHANNELS: readonly Channel[] = ['all', 'red', 'green', 'blue'];

class Contrast implements ToolPanel {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #status = h('p', { class: 'hint', role: 'status' });
  readonly #handles = new Handles((range) => this.#drag(range));
  readonly #channels: HTMLElement;
  readonly #gamma = h('input', { type: 'range', id: 'stretch-gamma', min: Math.log(GAMMA[0]), max: Math.log(GAMMA[1]), step: 0.01, input: () => this.#describeGamma(), change: () => this.#own(this.#ranges()) });
  readonly #gammaWords = h('output', { for: 'stretch-gamma' });
  readonly #gammaRow = h('div', { class: 'opacity' }, h('label', { for: 'stretch-gamma' }, t('gamma')), this.#gamma, this.#gammaWords);
  readonly #cut = h('select', { id: 'stretch-cut', change: () => this.#byView() }, ...CUTS.map((cut) => h('option', { value: cut, selected: cut === 2 }, t('cut', { count: cut }))));
  readonly #body: HTMLElement;
  readonly #modes = new Map<string, HTMLButtonElement>();
  #channel: Channel = 'all';
  #found: Distribution[] = [];
  #work = new AbortController();
  #opened = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context) {
    this.#context = context;
    const mode = (name: Key, click: () => void): HTMLElement => {
      const button = h('button', { type: 'button', title: t(`${name}-hint` as Key), 'aria-pressed': 'false', click }, t(name));
      this.#modes.set(name, button);
      return button;
    };
    const modes = h('div', { class: 'stretch-modes', role: 'group', 'aria-label': t('by') },
      mode('auto', () => this.#set({ kind: 'auto' })), mode('view', () => this.#byView()), mode('style', () => this.#set({ kind: 'style' })));
    this.#channels = h('div', { class: 'chips segmented', role: 'radiogroup', 'aria-label': t('channel') }, ...CHANNELS.map((channel) => this.#chip(channel)));
    const cut = h('div', { class: 'stretch-cuts' }, h('label', { for: 'stretch-cut' }, t('cut-off')), this.#cut);
    this.#body = h('div', { class: 'stretch-body' }, modes, this.#channels, this.#handles.element, this.#gammaRow, cut);
    this.element = h('div', { class: 'stretch' }, this.#body, this.#status);
    context.store.watch(['info', 'style', 'extras', 'rendering'], () => this.#opened && this.#show());
    context.store.watch(['item', 'style'], () => this.#later());
    void context.map.then((map) => map?.maplibre.on('moveend', () => this.#later()));
  }

  open(): void {
    this.#opened = true;
    this.#show();
    this.#later();
  }

  close(): void {
    this.#opened = false;
    this.#work.abort();
    clearTimeout(this.#timer);
  }

  #chip(channel: Channel): HTMLElement {
    const change = (): void => {
      this.#channel = channel;
      this.#show();
    };
    return h('label', { class: 'chip' }, h('input', { type: 'radio', name: 'stretch-channel', checked: channel === 'all', change }), h('span', {}, t(channel)));
  }

  get #state(): Readonly<State> {
    return this.#context.store.state;
  }

  #style(): Style | null {
    return this.#state.info?.styles.find(({ id }) => id === this.#state.style) ?? null;
  }

  /** The ranges that the map shows. */
  #ranges(): Range[] {
    const style = this.#style();
    return rangesOf(style, stretchOf(this.#state.extras)) ?? style?.rescale ?? [];
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.#opened) this.#timer = setTimeout(() => void this.#count(), REST);
  }

  /** Counts the values of the view. */
  async #count(): Promise<void> {
    this.#work.abort();
    this.#work = new AbortController();
    const { signal } = this.#work;
    const [style, { item }, map] = [this.#style(), this.#state, await this.#context.map];
    if (!style || style.rescale.length === 0 || !item || !map) return;
    const box = overlap(map.view(), item.bbox);
    try {
      this.#found = box ? await fetchDistributions(item, style, box, signal) : [];
      this.#status.textContent = isEmpty(this.#found) ? t('nothing-here') : t('histogram-of', { day: dayOf(item) });
    } catch (error) {
      if (signal.aborted) return;
      this.#found = [];
      this.#status.textContent = error instanceof ApiError ? error.message : String(error);
    }
    this.#show();
  }

  #show(): void {
    const style = this.#style();
    const shown = style !== null && style.rescale.length > 0;
    this.#body.hidden = !shown;
    if (!shown) return void (this.#status.textContent = t('no-range'));
    const stretch = stretchOf(this.#state.extras);
    const colours = style.rescale.length === 3;
    this.#channels.hidden = this.#gammaRow.hidden = !colours;
    if (!colours) this.#channel = 'all';
    const ranges = this.#ranges();
    const auto = this.#modes.get('auto');
    if (auto) auto.disabled = style.auto === null;
    const own = stretch.kind === 'own' && stretch.style === style.id;
    this.#press(stretch.kind === 'style' || (!own && style.auto === null) ? 'style' : own ? null : 'auto');
    this.#gamma.value = String(Math.log(own ? stretch.gamma : 1));
    this.#describeGamma();
    const [found, range] = this.#chosen(ranges);
    this.#handles.show(found, range, extentOf(this.#found, ranges));
  }

  /** What the handles are for: one channel, or all from the darkest to the brightest. */
  #chosen(ranges: readonly Range[]): [Distribution[], Range] {
    const place = CHANNELS.indexOf(this.#channel) - 1;
    const [one, range] = [this.#found[place], ranges[place]];
    if (range) return [one ? [one] : [], range];
    return [this.#found, [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))]];
  }

  #press(pressed: string | null): void {
    for (const [name, button] of this.#modes) button.setAttribute('aria-pressed', String(name === pressed));
  }

  #describeGamma(): void {
    const gamma = Math.exp(Number(this.#gamma.value));
    this.#gammaWords.textContent = gamma.toLocaleString(locale, { maximumFractionDigits: 2 });
    this.#gamma.setAttribute('aria-valuetext', this.#gammaWords.textContent);
  }

  #drag(range: Range): void {
    const place = CHANNELS.indexOf(this.#channel) - 1;
    this.#own(this.#ranges().map((each, index) => (place < 0 || place === index ? range : each)));
  }

  #byView(): void {
    const style = this.#style();
    if (!style || isEmpty(this.#found) || this.#found.length !== style.rescale.length) return;
    const cut = Number(this.#cut.value) as Cut;
    this.#own(shared(this.#found.map((each) => rangeOf(each, cut)), style.rescale));
  }

  #own(ranges: Range[]): void {
    const style = this.#style();
    if (style) this.#set({ kind: 'own', style: style.id, ranges, gamma: Number(Math.exp(Number(this.#gamma.value)).toFixed(2)) });
  }

  #set(stretch: Stretch): void {
    const before = JSON.stringify(pictureQuery(this.#style(), stretchOf(this.#state.extras)));
    void this.#context.viewer.setStretch(stretch);
    if (before === JSON.stringify(pictureQuery(this.#style(), stretch))) this.#show();
  }
}

export const create = (context: Context): ToolPanel => new Contrast(context);
