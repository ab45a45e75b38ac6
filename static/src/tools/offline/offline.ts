/** Areas kept on this device, to go on without a link. */
import { h } from '../../dom';
import { dayOf, formatBytes } from '../../format';
import { roundedBox } from '../../geo';
import type { MapView } from '../../map/map';
import { placeName } from '../../picture/ground';
import { saver } from '../../saver';
import { addSheet } from '../../sheets';
import type { Store } from '../../store';
import { pictureQuery, stretchOf } from '../../stretch';
import { words } from '../../words/words';
import { sentence } from '../common';
import type { Context, ToolPanel } from '../registry';
import { forget, keep, keptAreas, type Area, type Wanted } from './areas';
import css from './offline.css';
import { countTiles, MOST_TILES, USUAL_TILE } from './plan';

type Key = keyof typeof import('../../words/offline/en.json');
const t = words<Key>('offline');
const LEVELS = [0, 1, 2, 3, 4];
const SOME_DATES = 5;

addSheet(css);

class Offline implements ToolPanel {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #map: Promise<MapView | null>;
  readonly #dates = h('select', { 'aria-label': t('dates'), change: () => void this.#price() });
  readonly #styles = h('div', { class: 'offline-styles' });
  readonly #closer = h('select', { 'aria-label': t('closer'), change: () => void this.#price() }, ...LEVELS.map((count) => h('option', { value: count, selected: count === 2 }, t('levels', { count }))));
  readonly #said = h('p', { class: 'offline-said', role: 'status' });
  readonly #keep = h('button', { type: 'button', class: 'offline-main', click: () => void this.#start() }, t('keep'));
  readonly #stop = h('button', { type: 'button', hidden: true, click: () => this.#working?.abort() }, t('stop'));
  readonly #list = h('ul', { class: 'offline-list' });
  readonly #free = h('p', { class: 'hint' });
  #open = false;
  #working: AbortController | null = null;
  readonly #moved = (): void => void this.#price();

  constructor({ store, map }: Context) {
    this.#store = store;
    this.#map = map;
    this.element = h('div', { class: 'offline' }, h('p', { class: 'hint' }, t('what')),
      h('div', { class: 'offline-row' }, this.#dates, this.#closer),
      h('fieldset', {}, h('legend', {}, t('styles')), this.#styles),
      this.#said, h('div', { class: 'offline-row' }, this.#keep, this.#stop),
      h('h3', {}, t('list')), this.#list, this.#free);
    store.watch(['series', 'info', 'item', 'layer'], () => {
      if (this.#open) this.#fill();
    });
  }

  open(): void {
    this.#open = true;
    void this.#map.then((map) => map?.maplibre.on('moveend', this.#moved));
    this.#fill();
    void this.#showList();
  }

  close(): void {
    this.#open = false;
    void this.#map.then((map) => map?.maplibre.off('moveend', this.#moved));
  }

  #fill(): void {
    const { series, info, style } = this.#store.state;
    const before = this.#dates.value; // what the user chose outlasts dates that come later
    const chosen = new Set(this.#chosen().length > 0 ? this.#chosen() : [style]);
    const option = (value: string, text: string): HTMLElement => h('option', { value }, text);
    this.#dates.replaceChildren(option('1', t('this-date')),
      ...(series.length > SOME_DATES ? [option(String(SOME_DATES), t('last-dates', { count: SOME_DATES }))] : []),
      ...(series.length > 1 ? [option('all', t('all-dates', { count: series.length }))] : []));
    if ([...this.#dates.options].some(({ value }) => value === before)) this.#dates.value = before;
    const box = ({ id, title }: { id: string; title: string }): HTMLElement =>
      h('label', {}, h('input', { type: 'checkbox', value: id, checked: chosen.has(id), change: () => void this.#price() }), title);
    this.#styles.replaceChildren(...(info?.styles.filter(({ band }) => band === null) ?? []).map(box));
    void this.#price();
  }

  #chosen(): string[] {
    return [...this.#styles.querySelectorAll<HTMLInputElement>('input:checked')].map(({ value }) => value);
  }

  /** What is wanted as chosen; null while nothing can be kept. */
  async #wanted(): Promise<Wanted | null> {
    const { layer, item, series, style, info, extras } = this.#store.state;
    const map = await this.#map;
    if (!map || !item || !layer || !('item' in layer)) return null;
    const newest = [...series].reverse();
    const items = this.#dates.value === '1' ? [item] : this.#dates.value === 'all' ? newest : newest.slice(0, Number(this.#dates.value));
    const chosen = this.#chosen();
    const styles = (info?.styles ?? []).filter(({ id }) => (chosen.length > 0 ? chosen.includes(id) : id === style));
    const zoom = Math.round(map.maplibre.getZoom());
    const box = roundedBox(map.view());
    const title = [placeName(box).replace('_', ' '), items.length === 1 ? dayOf(item) : t('all-dates', { count: items.length }), styles.map((each) => each.title).join(', ')].join(' · ');
    return { title, link: location.hash, box, zooms: [zoom, zoom + Number(this.#closer.value)], items, pictures: styles.map((each) => pictureQuery(each, stretchOf(extras))) };
  }

  async #price(): Promise<void> {
    if (this.#working) return;
    this.#keep.disabled = true;
    if (!('caches' in window) || !('serviceWorker' in navigator)) return void (this.#said.textContent = t('cannot'));
    const wanted = await this.#wanted();
    if (!wanted) return void (this.#said.textContent = this.#store.state.item ? t('mosaic') : '');
    const tiles = countTiles(wanted.box, ...wanted.zooms) * wanted.items.length * wanted.pictures.length;
    this.#keep.disabled = tiles > MOST_TILES;
    this.#said.textContent = tiles > MOST_TILES ? t('too-much', { tiles, most: MOST_TILES }) : t('price', { tiles, size: formatBytes(tiles * (saver.meanTile ?? USUAL_TILE)) });
  }

  async #start(): Promise<void> {
    const wanted = await this.#wanted();
    if (!wanted || this.#working) return;
    this.#working = new AbortController();
    this.#busy(true);
    try {
      const { area, failed } = await keep(wanted, this.#working.signal, ({ done, count, bytes }) => {
        this.#said.textContent = t('keeping', { done, count, size: formatBytes(bytes) });
      });
      this.#said.textContent = failed > 0 ? t('failed', { count: failed }) : t('kept', { size: formatBytes(area.bytes) });
      this.#working = null;
    } catch (error) {
      const stopped = this.#working?.signal.aborted === true;
      this.#working = null;
      this.#said.textContent = sentence(error);
      if (stopped) await this.#price();
    }
    this.#busy(false);
    await this.#showList();
  }

  #busy(busy: boolean): void {
    this.#keep.disabled = busy;
    this.#stop.hidden = !busy;
  }

  async #showList(): Promise<void> {
    const entry = (area: Area): HTMLElement => h('li', {}, h('span', {}, `${area.title} · ${formatBytes(area.bytes)}`),
      h('a', { href: area.link, 'aria-label': t('go-what', { title: area.title }) }, t('go')),
      h('button', { type: 'button', 'aria-label': t('delete-what', { title: area.title }), click: () => void forget(area.id).then(() => this.#showList()) }, t('delete')));
    const areas = keptAreas();
    this.#list.replaceChildren(...(areas.length > 0 ? areas.map(entry) : [h('li', { class: 'hint' }, t('none'))]));
    const room = await navigator.storage?.estimate?.();
    this.#free.textContent = room?.quota ? t('free', { size: formatBytes(room.quota - (room.usage ?? 0)) }) : '';
  }
}

export const create = (context: Context): ToolPanel => new Offline(context);
