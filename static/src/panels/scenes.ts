/** The list of scenes, with its filter. A list box: arrow keys move, Enter or Space shows the scene. */
import type { Item } from '../api';
import { h } from '../dom';
import { formatTime } from '../format';
import { locale } from '../language';
import type { Filter, State, Store } from '../store';
import { t } from '../words/shell';
import { sceneTitle } from './title';

export interface SceneActions {
  show: (item: Item) => void;
  filter: (filter: Filter) => void;
  more: () => void;
  reload: () => void;
}

/** The heading with the choice of a collection; dates, which few need, are folded until they are asked for. */
function filterForm(store: Store, heading: HTMLElement, apply: (filter: Filter) => void): HTMLFormElement {
  const collection = h('select', { name: 'collection', 'aria-label': t('collection') });
  const from = h('input', { type: 'date', name: 'from', 'aria-label': t('from-date') });
  const to = h('input', { type: 'date', name: 'to', 'aria-label': t('to-date') });
  const clear = h('button', { type: 'reset', class: 'text-button' }, t('clear'));
  const dates = h('div', { class: 'dates', id: 'filter-dates', hidden: true }, from, h('span', { 'aria-hidden': 'true' }, '–'), to, clear);
  const fold = h('button', { type: 'button', class: 'text-button', 'aria-controls': dates.id, click: () => unfold(dates.hasAttribute('hidden')) }, t('dates'));
  const unfold = (open: boolean): void => {
    dates.toggleAttribute('hidden', !open);
    fold.setAttribute('aria-expanded', String(open));
  };
  unfold(false);
  const read = (): Filter => ({ collection: collection.value || null, from: from.value || null, to: to.value || null });
  const form = h(
    'form',
    {
      class: 'filter',
      role: 'search',
      'aria-label': t('filter-scenes'),
      change: () => apply(read()),
      submit: (event: Event) => event.preventDefault(),
      reset: () => setTimeout(() => apply(read())),
    },
    h('div', { class: 'filter-head' }, heading, collection, fold),
    dates,
  );
  store.watch(['collections'], ({ collections, filter }) => {
    const options = collections.map(({ id, title }) => h('option', { value: id, selected: id === filter.collection }, title));
    collection.replaceChildren(h('option', { value: '' }, t('all-collections')), ...options);
  });
  store.watch(['filter'], ({ filter }) => {
    clear.hidden = !filter.collection && !filter.from && !filter.to;
    fold.disabled = Boolean(filter.from || filter.to); // dates that leave scenes out stay in sight
  });
  return form;
}

function option(item: Item, titles: ReadonlyMap<string, string>): HTMLLIElement {
  const parts = [titles.get(item.collection) ?? item.collection];
  if (!item.dated) parts.unshift(t('only-place-known'));
  if (item.timed) parts.push(formatTime(item.datetime));
  if (item.cloudCover !== null) parts.push(t('cloud', { count: Math.round(item.cloudCover) }));
  return h(
    'li',
    { role: 'option', id: `scene-${item.key}`, 'data-key': item.key, 'aria-selected': 'false', tabindex: -1, title: item.id },
    h('span', { class: 'scene-day' }, sceneTitle(item)),
    h('span', { class: 'scene-detail' }, parts.join(' · ')),
  );
}

function emptyCatalogue(reload: () => void): HTMLElement {
  return h(
    'div',
    { class: 'empty' },
    h('p', {}, t('no-scenes')),
    h('pre', { tabindex: 0 }, h('code', {}, 'comeo compress S2A_….SAFE.zip --ratio 100 --output archives/')),
    h('p', {}, t('once-done')),
    h('button', { type: 'button', click: reload }, t('look-again')),
  );
}

function statusLine({ catalogue, items, matched }: State): string {
  if (catalogue === 'loading') return t('loading');
  if (catalogue === 'failed') return '';
  const total = matched ?? items.length;
  return total > items.length ? t('some-of', { some: items.length, count: total }) : total.toLocaleString(locale);
}

/** Moves the focus with the arrow keys, Home and End; answers the option that should have it. */
function neighbour(options: HTMLElement[], current: HTMLElement | null, key: string): HTMLElement | null {
  const at = current ? options.indexOf(current) : -1;
  const target: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: options.length - 1 };
  const index = target[key];
  return index === undefined ? null : (options[Math.min(options.length - 1, Math.max(0, index))] ?? null);
}

function listBox(store: Store, show: (item: Item) => void): HTMLUListElement {
  const itemOf = (target: EventTarget | null): Item | null => {
    const key = target instanceof Element ? target.closest<HTMLElement>('[data-key]')?.dataset['key'] : undefined;
    return store.state.items.find((item) => item.key === key) ?? null;
  };
  const hover = (event: Event): void => store.update({ hovered: itemOf(event.target)?.key ?? null });
  const leave = (): void => store.update({ hovered: null });
  const list = h('ul', {
    role: 'listbox',
    'aria-label': t('scenes'),
    mouseover: hover,
    mouseleave: leave,
    focusin: hover,
    focusout: leave,
    click: (event: Event) => {
      const item = itemOf(event.target);
      if (item) show(item);
    },
    keydown: (event: KeyboardEvent) => {
      const options = [...list.querySelectorAll<HTMLElement>('[role=option]')];
      const focused = document.activeElement instanceof HTMLElement ? document.activeElement : null;
      const next = neighbour(options, focused, event.key);
      const item = event.key === 'Enter' || event.key === ' ' ? itemOf(event.target) : null;
      if (!next && !item) return;
      event.preventDefault();
      next?.focus();
      if (item) show(item);
    },
  });
  return list;
}

function markSelected(list: HTMLElement, key: string | null): void {
  const options = [...list.querySelectorAll<HTMLElement>('[role=option]')];
  const selected = options.find((option) => option.dataset['key'] === key) ?? null;
  for (const option of options) {
    option.setAttribute('aria-selected', String(option === selected));
    option.tabIndex = option === (selected ?? options[0]) ? 0 : -1;
  }
}

/** Brings the scene that is shown into sight. */
function reveal(list: HTMLElement): void {
  const selected = list.querySelector<HTMLElement>('[aria-selected=true]');
  // Only the list is scrolled, never the panel around it: on a phone that would take the controls out of sight
  const scrolls = list.scrollHeight > list.clientHeight && getComputedStyle(list).overflowY === 'auto';
  if (selected && scrolls && !list.contains(document.activeElement)) {
    const hidden = selected.offsetTop < list.scrollTop || selected.offsetTop + selected.offsetHeight > list.scrollTop + list.clientHeight;
    if (hidden) list.scrollTop = selected.offsetTop - list.clientHeight / 2;
  }
}

export function scenesPanel(root: HTMLElement, store: Store, actions: SceneActions): void {
  const count = h('span', { class: 'count', role: 'status' });
  const list = listBox(store, actions.show);
  const below = h('div', { class: 'below-list' });
  const missing = h('p', { class: 'hint not-listed', role: 'status' });
  const heading = h('h2', { id: 'scenes-title' }, t('scenes'), ' ', count);
  root.append(filterForm(store, heading, actions.filter), missing, list, below);
  let before: readonly Item[] = [];
  store.watch(['items', 'collections', 'catalogue', 'matched', 'next'], (state) => {
    count.textContent = statusLine(state);
    const titles = new Map(state.collections.map(({ id, title }) => [id, title]));
    list.replaceChildren(...state.items.map((item) => option(item, titles)));
    list.hidden = state.items.length === 0;
    list.ariaBusy = String(state.catalogue === 'loading');
    below.replaceChildren(...belowList(state, actions));
    markSelected(list, state.item?.key ?? null);
    // a further page leaves the list where its reader is
    const longer = state.items.length > before.length && state.items[0]?.key === before[0]?.key;
    if (!longer) reveal(list);
    before = state.items;
  });
  store.watch(['item'], ({ item }) => {
    markSelected(list, item?.key ?? null);
    reveal(list);
  });
  store.watch(['items', 'item', 'layer', 'catalogue'], (state) => void (missing.textContent = notListed(state)));
  // the styles come after the list, and make it lower
  new ResizeObserver(() => reveal(list)).observe(list);
  store.watch(['pending'], ({ pending }) => {
    for (const option of list.querySelectorAll<HTMLElement>('[role=option]')) {
      option.classList.toggle('pending', pending?.item?.key === option.dataset['key'] && pending !== null && 'item' in pending.layer);
    }
  });
  store.watch(['hovered'], ({ hovered }) => {
    for (const option of list.querySelectorAll<HTMLElement>('[role=option]')) {
      option.classList.toggle('hovered', option.dataset['key'] === hovered);
    }
  });
}

/** That the scene on the map is none of the list, which a filter has left out, or a page not brought yet. */
function notListed({ items, item, layer, catalogue }: State): string {
  const listed = items.some(({ key }) => key === item?.key);
  if (!item || !layer || !('item' in layer) || catalogue !== 'ready' || items.length === 0 || listed) return '';
  return t('not-listed', { title: sceneTitle(item) });
}

function belowList({ catalogue, items, filter, next }: State, actions: SceneActions): HTMLElement[] {
  if (catalogue === 'failed') return [h('button', { type: 'button', click: actions.reload }, t('try-again'))];
  if (catalogue === 'loading') return [];
  if (items.length > 0) return next ? [h('button', { type: 'button', click: actions.more }, t('more-scenes'))] : [];
  const filtered = filter.collection !== null || filter.from !== null || filter.to !== null;
  return filtered ? [h('p', { class: 'empty' }, t('no-match'))] : [emptyCatalogue(actions.reload)];
}
