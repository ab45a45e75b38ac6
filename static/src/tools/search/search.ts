/** Finding a place by its name or coordinates, and the scenes over what the map shows, by date and cloud. */
import { ApiError, searchItems, type Item } from '../../api';
import { h } from '../../dom';
import { dayOf, formatPosition } from '../../format';
import { centreOf, type BBox } from '../../geo';
import { language } from '../../language';
import { thumbnailAddress, thumbnailBox } from '../../panels/styles';
import { parsePosition } from '../../search/coordinates';
import { loadGazetteer } from '../../search/gazetteer';
import { saver } from '../../saver';
import { addSheet } from '../../sheets';
import type { Context, ToolPanel } from '../registry';
import { Calendar, cloudWords } from './calendar';
import { Pictures } from './pictures';
import { chosenScenes, findScenes, sortScenes, type Found, type SortBy } from './scenes';
import css from './search.css';
import { t } from './words';

addSheet(css);

/** The list follows the map when it has rested for so long, in milliseconds; places what is typed. */
const REST = 500;
const TYPED = 200;
/** Scenes in the list at first; the calendar has all of them. */
const LISTED = 30;
/** Zoom of a position without an area. */
const CLOSE = 13;
/** Letters from which on scenes are looked for by their ids, and scenes that are looked through. */
const LEAST = 3;
const NAMED = 50;

interface Target {
  name: string;
  detail: string;
  lon: number;
  lat: number;
  zoom: number;
  box: BBox | null;
  /** A scene, which is shown rather than its place. */
  item?: Item;
}

class Search implements ToolPanel {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #text = h('input', { type: 'search', id: 'search-text', autocomplete: 'off', spellcheck: 'false', placeholder: t('placeholder'), 'aria-label': t('place'), 'aria-controls': 'search-places', input: () => this.#typed() });
  readonly #places = h('ul', { id: 'search-places', class: 'search-places', hidden: true });
  readonly #placeStatus = h('p', { class: 'hint', role: 'status' });
  readonly #cloud = h('input', { type: 'range', id: 'search-cloud', min: 0, max: 100, step: 5, value: 100, input: () => this.#show() });
  readonly #cloudWords = h('output', { for: 'search-cloud', dir: 'ltr' });
  readonly #sort = h('select', { 'aria-label': t('sort'), change: () => this.#show() }, h('option', { value: 'date' }, t('by-date')), h('option', { value: 'cloud' }, t('by-cloud')));
  readonly #status = h('p', { class: 'hint', role: 'status' });
  readonly #list = h('ul', { class: 'search-scenes', 'aria-label': t('scenes') });
  readonly #calendar = new Calendar(({ item }) => this.#choose(item));
  readonly #pictures = new Pictures();
  #found: Found[] = [];
  #matched = 0;
  #view: BBox | null = null;
  #work = new AbortController();
  #opened = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context) {
    this.#context = context;
    const submit = (event: Event): void => {
      event.preventDefault();
      void this.#look().then(() => this.#places.querySelector('button')?.click());
    };
    const form = h('form', { role: 'search', submit }, this.#text);
    const limit = h('div', { class: 'search-cloud' }, h('label', { for: 'search-cloud' }, t('cloud')), this.#cloud, this.#cloudWords);
    this.element = h('div', { class: 'search' }, form, this.#placeStatus, this.#places, h('h3', {}, t('in-view')), limit, this.#calendar.element, h('div', { class: 'search-head' }, this.#status, this.#sort), this.#list);
    context.store.watch(['filter'], () => this.#later());
    context.store.watch(['item', 'rendering'], () => this.#opened && this.#show());
    void context.map.then((map) => map?.maplibre.on('moveend', () => this.#later()));
  }

  open(): void {
    this.#opened = true;
    void this.#find();
    this.#text.focus({ preventScroll: true });
  }

  close(): void {
    this.#opened = false;
    this.#work.abort();
    clearTimeout(this.#timer);
  }

  #typed(): void {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#look(), TYPED);
  }

  /** Places that the text names: a position, or names of the gazetteer. */
  async #look(): Promise<void> {
    clearTimeout(this.#typing);
    const text = this.#text.value.trim();
    const targets = text ? await this.#targets(text) : [];
    if (text !== this.#text.value.trim()) return;
    this.#placeStatus.textContent = text && targets.length === 0 ? t('no-place') : '';
    this.#places.hidden = targets.length === 0;
    this.#places.replaceChildren(
      ...targets.map((target) =>
        h('li', {}, h('button', { type: 'button', click: () => void this.#go(target) }, h('span', {}, target.name), h('span', { class: 'hint' }, target.detail)))),
    );
  }

  async #targets(text: string): Promise<Target[]> {
    const position = await parsePosition(text);
    if (position) {
      const { lon, lat, box } = position;
      return [{ name: text, detail: formatPosition(lon, lat), lon, lat, zoom: CLOSE, box: box ?? null }];
    }
    const [gazetteer, scenes] = await Promise.all([loadGazetteer().catch(() => null), this.#scenesNamed(text)]);
    const places = gazetteer?.find(text, language) ?? [];
    return [...scenes, ...places.map(({ name, country, lon, lat, zoom, bbox }) => ({ name, detail: country ?? '', lon, lat, zoom, box: bbox ?? null }))];
  }

  /** Scenes that have the text in their id, the newest of each collection. */
  async #scenesNamed(text: string): Promise<Target[]> {
    if (text.length < LEAST) return [];
    const { items } = await searchItems({ named: text, limit: NAMED }).catch(() => ({ items: [] as Item[] }));
    const newest = new Map([...items].reverse().map((item) => [item.collection, item]));
    return [...newest.values()].map((item) => {
      const [lon, lat] = centreOf(item.bbox);
      return { name: item.id, detail: dayOf(item), lon, lat, zoom: CLOSE, box: item.bbox, item };
    });
  }

  async #go({ lon, lat, zoom, box, item }: Target): Promise<void> {
    const map = await this.#context.map;
    this.#places.hidden = true;
    if (item) return void this.#context.viewer.show(item, { move: 'fly' });
    if (box) await map?.goTo(box, true);
    else map?.jumpTo({ lon, lat, zoom });
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.#opened) this.#timer = setTimeout(() => void this.#find(), REST);
  }

  /** Looks for the scenes of the view. */
  async #find(): Promise<void> {
    this.#work.abort();
    this.#work = new AbortController();
    const { signal } = this.#work;
    const view = (await this.#context.map)?.view() ?? null;
    if (!view) return void (this.#status.textContent = t('no-map'));
    this.#status.textContent = t('looking');
    try {
      const { scenes, matched } = await findScenes({ ...this.#context.store.state.filter, view }, signal);
      [this.#found, this.#matched, this.#view] = [scenes, matched, view];
      this.#show();
    } catch (error) {
      if (!signal.aborted) this.#status.textContent = error instanceof ApiError ? error.message : String(error);
    }
  }

  #show(): void {
    const most = Number(this.#cloud.value);
    this.#cloudWords.textContent = t('at-most', { percent: most });
    this.#cloud.setAttribute('aria-valuetext', this.#cloudWords.textContent);
    const { kept, untold } = chosenScenes(this.#found, most);
    const current = this.#context.store.state.item?.key ?? null;
    const words = [t('found', { count: kept.length })];
    if (this.#matched > this.#found.length) words.push(t('newest-of', { count: this.#matched }));
    if (untold > 0) words.push(t('untold', { count: untold }));
    this.#status.textContent = words.join(' ');
    this.#calendar.show(sortScenes(kept, 'date'), current);
    const sorted = sortScenes(kept, this.#sort.value as SortBy).slice(0, LISTED);
    this.#list.replaceChildren(...sorted.map((scene) => this.#row(scene, current)));
    this.#pictures.show(this.#list.querySelectorAll('img'));
  }

  #row(scene: Found, current: string | null): HTMLElement {
    const { item } = scene;
    const { collections, rendering } = this.#context.store.state;
    const title = collections.find(({ id }) => id === item.collection)?.title ?? item.collection;
    const box = this.#view && thumbnailBox(this.#view, item.bbox);
    const same = this.#context.store.state.item?.collection === item.collection;
    const shown = same ? rendering : {};
    const picture = box && !saver.saving ? h('img', { 'data-source': thumbnailAddress(item, shown, box), alt: '', width: 72, height: 48 }) : null;
    const words = h('span', { class: 'search-words' }, h('b', {}, dayOf(item)), h('span', {}, cloudWords(scene)), h('span', { class: 'hint' }, title));
    return h('li', {}, h('button', { type: 'button', 'aria-pressed': String(item.key === current), title: item.id, click: () => this.#choose(item) }, picture, words));
  }

  #choose(item: Item): void {
    void this.#context.viewer.show(item, { move: 'stay' });
  }
}

export const create = (context: Context): ToolPanel => new Search(context);
