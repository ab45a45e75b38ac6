/** The head of the panel: which scene or mosaic the map shows, what is on its way, and how true it is. */
import type { Fidelity, Item, Layer, Mosaic } from '../api';
import { h } from '../dom';
import { formatError, formatPlatform, formatTime } from '../format';
import type { State, Store } from '../store';
import { t } from '../words/shell';
import { withWords } from '../words/words';
import { titleOf } from './title';

export interface ViewActions {
  show: (item: Item) => void;
  mosaic: (layer: Mosaic) => void;
  fit: () => void;
}

export const isMosaic = (layer: Layer | null): boolean => layer !== null && !('item' in layer);

type Mode = 'scene' | 'mosaic';

function modeSwitch(choose: (mode: Mode) => void): { element: HTMLElement; show: (mode: Mode) => void } {
  const inputs = (['scene', 'mosaic'] as const).map((mode) => h('input', { type: 'radio', name: 'mode', value: mode, change: () => choose(mode) }));
  const words = [
    [t('one-scene'), t('one-scene-hint')],
    [t('mosaic'), t('mosaic-hint')],
  ] as const;
  const chips = inputs.map((input, place) => h('label', { class: 'chip', title: words[place]?.[1] ?? '' }, input, h('span', {}, words[place]?.[0] ?? '')));
  const element = h('div', { class: 'chips segmented', role: 'group', 'aria-label': t('scene-or-mosaic') }, ...chips);
  const show = (mode: Mode): void => {
    for (const input of inputs) input.checked = input.value === mode;
  };
  return { element, show };
}

function subtitle({ item, layer, collections }: State): string {
  if (!item || !layer) return '';
  const collection = collections.find(({ id }) => id === layer.collection)?.title ?? layer.collection;
  if (!('item' in layer)) return layer.pixels ? collection : `${collection} · ${t('newest-first')}`;
  const parts = [collection, item.platform && formatPlatform(item.platform), item.timed && formatTime(item.datetime), !item.dated && t('only-place-known')];
  if (item.cloudCover !== null) parts.push(t('cloud', { count: Math.round(item.cloudCover) }));
  return parts.filter(Boolean).join(' · ');
}

/** What is on its way, in words; empty when nothing is. */
function waiting({ pending, layer, item, style }: State): string {
  if (!pending) return '';
  const changed = JSON.stringify(pending.layer) !== JSON.stringify(layer);
  if (!changed) return pending.style === style ? '' : t('loading');
  const waited = pending.item ?? item;
  return waited ? t('loading-scene', { title: titleOf(pending.layer, waited) }) : t('loading');
}

/** Of radar that of fields comes first: a single pixel of it is mostly speckle. */
export function typicalError({ error, fieldError, unit }: Fidelity): string {
  const words = (value: number): string => `±\u202f${formatError(value)} ${unit === 'reflectance' ? t('reflectance') : unit}`.trimEnd();
  const pixel = words(error);
  return fieldError === null ? t('typical-error', { pixel }) : t('typical-error-fields', { field: words(fieldError), pixel });
}

/** Whether what is shown can be trusted, in a word and a figure. */
function fidelityBadge(): { element: HTMLElement; show: (fidelity: Fidelity | null) => void } {
  const word = h('span', { class: 'grade' });
  const figure = h('span', {});
  const meaning = h('p', { class: 'hint' });
  const line = h('p', { class: 'badge' }, word, figure);
  const element = h('div', { class: 'fidelity', role: 'group', 'aria-label': t('fidelity') }, line, meaning);
  const grades: Record<string, string> = {
    'Very close': t('very-close'),
    Close: t('close-copy'),
    Approximate: t('approximate'),
    Coarse: t('coarse'),
  };
  const show = (fidelity: Fidelity | null): void => {
    element.hidden = fidelity === null;
    if (!fidelity) return;
    word.textContent = grades[fidelity.grade] ?? t('fidelity');
    figure.textContent = typicalError(fidelity);
    meaning.textContent = fidelity.meaning;
    element.dataset['grade'] = fidelity.grade.toLowerCase().replace(' ', '-');
  };
  return { element, show };
}

/** The form of a mosaic's period comes with the first mosaic. */
function periodOf(root: HTMLElement, store: Store, actions: ViewActions): () => void {
  let asked = false;
  const come = async (): Promise<void> => {
    const { periodForm } = await withWords('period', import('./period'));
    root.append(periodForm(store, actions.mosaic));
  };
  const failed = (): void => {
    asked = false;
    store.update({ error: t('no-answer') });
  };
  return () => {
    if (asked) return;
    asked = true;
    come().catch(failed);
  };
}

export function viewPanel(root: HTMLElement, store: Store, actions: ViewActions): void {
  const heading = h('h2', { id: 'view-title' });
  const sub = h('p', { class: 'sub' });
  const status = h('p', { class: 'waiting', role: 'status' });
  const fit = h('button', { type: 'button', class: 'text-button', click: actions.fit }, t('zoom-to-it'));
  const badge = fidelityBadge();
  const mode = modeSwitch((wanted) => {
    const { item } = store.state;
    if (item && wanted === 'mosaic') actions.mosaic({ collection: item.collection, until: null });
    else if (item) actions.show(item);
  });
  root.append(h('div', { class: 'title-row' }, heading, fit), status, sub, badge.element, mode.element);
  const period = periodOf(root, store, actions);
  store.watch(['item', 'layer', 'series', 'info', 'style', 'collections', 'pending'], (state) => {
    const { layer, item, series, pending, info } = state;
    root.hidden = layer === null && pending === null;
    heading.textContent = layer && item ? titleOf(layer, item) : '';
    fit.hidden = layer === null;
    status.textContent = waiting(state);
    sub.textContent = subtitle(state);
    mode.element.hidden = series.length < 2;
    mode.show(isMosaic(pending?.layer ?? layer) ? 'mosaic' : 'scene');
    if (isMosaic(pending?.layer ?? layer)) period();
    badge.show(isMosaic(layer) ? null : (info?.fidelity ?? null));
  });
}
