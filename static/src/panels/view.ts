/** How the selected scene is shown: scene or mosaic, date, style, opacity. */
import type { Fidelity, Item, Layer, Legend, Style, StyleClass } from '../api';
import { h } from '../dom';
import { dayOf, formatDay, formatError, formatPlatform, formatTime } from '../format';
import type { State, Store } from '../store';
import { daysOf, Timeline, type Stop } from './timeline';

export interface ViewActions {
  show: (item: Item) => void;
  mosaic: (collection: string, until: string | null) => void;
  style: (id: string) => void;
  fit: () => void;
}

const isMosaic = (layer: Layer | null): boolean => layer !== null && !('item' in layer);

function stopsOf(state: State): Stop[] {
  if (isMosaic(state.layer)) return daysOf(state.series.map((item) => item.datetime));
  return state.series.map(({ key, datetime }) => ({ key, date: datetime }));
}

function currentStop({ layer, item, series }: State): string {
  if (layer && !('item' in layer)) return layer.until ?? daysOf(series.map((each) => each.datetime)).at(-1)?.key ?? '';
  return item?.key ?? '';
}

function radios(name: string, options: { id: string; title: string; hint: string }[], choose: (id: string) => void): HTMLElement[] {
  return options.map(({ id, title, hint }) =>
    h(
      'label',
      { class: 'chip', title: hint },
      h('input', { type: 'radio', name, value: id, change: () => choose(id) }),
      h('span', {}, title),
    ),
  );
}

function check(group: HTMLElement, value: string | null): void {
  for (const input of group.querySelectorAll('input')) input.checked = input.value === value;
}

function legendBar({ minimum, maximum, colors }: Legend): HTMLElement[] {
  const middle = (minimum + maximum) / 2;
  const scale = [minimum, middle, maximum].map((value) => h('span', {}, Number(value.toPrecision(3)).toString()));
  return [
    h('div', { class: 'ramp', style: `background: linear-gradient(to right, ${colors.join(', ')})` }),
    h('div', { class: 'scale' }, ...scale),
  ];
}

function classKey(classes: readonly StyleClass[]): HTMLElement {
  const entries = classes.map(({ title, color }) =>
    h('li', {}, h('i', { style: `background: ${color}`, 'aria-hidden': 'true' }), title),
  );
  return h('ul', { class: 'classes' }, ...entries);
}

/** Single bands that the server puts before everything else, as it does for radar: what one looks at first. */
function leading(styles: readonly Style[]): number {
  const first = styles.findIndex(({ band }) => band === null);
  return first < 0 ? 0 : first;
}

class StylePicker {
  readonly element: HTMLFieldSetElement;
  readonly #chips = h('div', { class: 'chips' });
  readonly #bands: HTMLSelectElement;
  readonly #legend = h('div', { class: 'legend' });
  readonly #choose: (id: string) => void;
  #styles: readonly Style[] = [];

  constructor(choose: (id: string) => void) {
    this.#choose = choose;
    this.#bands = h('select', { class: 'bands', 'aria-label': 'Single band', change: () => choose(this.#bands.value) });
    this.element = h('fieldset', { class: 'styles' }, h('legend', {}, 'Style'), this.#chips, this.#bands, this.#legend);
  }

  show(styles: readonly Style[], current: string | null): void {
    const same = styles.map((style) => style.id).join() === this.#styles.map((style) => style.id).join();
    this.#styles = styles;
    this.element.hidden = styles.length === 0;
    if (!same) this.#fill();
    const style = styles.find(({ id }) => id === current);
    check(this.#chips, current);
    this.#bands.value = style?.band ? style.id : '';
    this.#legend.replaceChildren(
      ...(style?.description ? [h('p', { class: 'hint' }, style.description)] : []),
      ...(style?.legend ? legendBar(style.legend) : []),
      ...(style && style.classes.length > 0 ? [classKey(style.classes)] : []),
    );
  }

  /** Composites and indices as chips, after the bands that lead; the many other single bands in a list. */
  #fill(): void {
    const lead = leading(this.#styles);
    const composites = this.#styles.filter(({ band }, place) => band === null || place < lead);
    const bands = this.#styles.filter(({ band }, place) => band !== null && place >= lead);
    const options = composites.map(({ id, title, description }) => ({ id, title, hint: description }));
    this.#chips.replaceChildren(...radios('style', options, this.#choose));
    const choices = bands.map(({ id, title }) => h('option', { value: id }, title));
    this.#bands.replaceChildren(h('option', { value: '', disabled: true }, 'Single band…'), ...choices);
    this.#bands.hidden = bands.length === 0;
  }
}

function subtitle(state: State): string {
  const { item, layer, collections } = state;
  if (!item || !layer) return '';
  const collection = collections.find(({ id }) => id === layer.collection)?.title ?? layer.collection;
  if (isMosaic(layer)) return `${collection} · newest valid pixel first`;
  const parts = [collection, item.platform && formatPlatform(item.platform), item.timed && formatTime(item.datetime)];
  if (item.cloudCover !== null) parts.push(`${Math.round(item.cloudCover)} % cloud`);
  return parts.filter(Boolean).join(' · ');
}

function title({ item, layer }: State): string {
  if (!item || !layer) return '';
  if ('item' in layer) return dayOf(item);
  return layer.until ? `Mosaic up to ${formatDay(new Date(`${layer.until}T00:00:00Z`))}` : 'Mosaic of all dates';
}

/** Of radar that of fields comes first: a single pixel of it is mostly speckle. */
export function typicalError({ error, fieldError, unit }: Fidelity): string {
  const pixel = `±\u202f${formatError(error)} ${unit}`.trimEnd();
  return fieldError === null
    ? `typical error ${pixel}`
    : `typical error ±\u202f${formatError(fieldError)} ${unit} in means of 8×8 pixels, ${pixel} in a pixel`;
}

/** Whether what is shown can be trusted, in a word and a figure. */
function fidelityBadge(): { element: HTMLElement; show: (fidelity: Fidelity | null) => void } {
  const word = h('span', { class: 'grade' });
  const figure = h('span', {});
  const meaning = h('p', { class: 'hint' });
  const line = h('p', { class: 'badge' }, word, figure);
  const element = h('div', { class: 'fidelity', role: 'group', 'aria-label': 'Fidelity' }, line, meaning);
  const show = (fidelity: Fidelity | null): void => {
    element.hidden = fidelity === null;
    if (!fidelity) return;
    word.textContent = fidelity.grade ? `${fidelity.grade} copy` : 'Fidelity';
    figure.textContent = typicalError(fidelity);
    meaning.textContent = fidelity.meaning;
    element.dataset['grade'] = fidelity.grade.toLowerCase().replace(' ', '-');
  };
  return { element, show };
}

export function viewPanel(root: HTMLElement, store: Store, actions: ViewActions): void {
  const heading = h('h2', { id: 'view-title' });
  const sub = h('p', { class: 'sub' });
  const fit = h('button', { type: 'button', class: 'text-button', click: actions.fit }, 'Zoom to it');
  const modes = h('div', { class: 'chips segmented', role: 'group', 'aria-label': 'Scene or mosaic' });
  const timeline = new Timeline((key) => choose(key));
  const styles = new StylePicker(actions.style);
  const badge = fidelityBadge();

  const choose = (key: string): void => {
    const { layer, series } = store.state;
    const item = series.find((each) => each.key === key);
    if (isMosaic(layer) && layer) actions.mosaic(layer.collection, key);
    else if (item) actions.show(item);
  };
  const setMode = (mode: string): void => {
    const { item } = store.state;
    if (item && mode === 'mosaic') actions.mosaic(item.collection, null);
    else if (item) actions.show(item);
  };
  modes.append(
    ...radios(
      'mode',
      [
        { id: 'scene', title: 'One scene', hint: 'The scene as acquired' },
        { id: 'mosaic', title: 'Mosaic', hint: 'The whole collection, newest valid pixel first' },
      ],
      setMode,
    ),
  );
  root.append(h('div', { class: 'title-row' }, heading, fit), sub, badge.element, modes, timeline.element, styles.element);
  store.watch(['item', 'layer', 'series', 'info', 'style', 'collections'], (state) => {
    root.hidden = state.layer === null;
    heading.textContent = title(state);
    sub.textContent = subtitle(state);
    modes.hidden = state.series.length < 2;
    check(modes, isMosaic(state.layer) ? 'mosaic' : 'scene');
    timeline.show(stopsOf(state), currentStop(state));
    badge.show(isMosaic(state.layer) ? null : (state.info?.fidelity ?? null));
    styles.show(state.info?.styles ?? [], state.style);
  });
}
