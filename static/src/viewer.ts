/** What the viewer does: finds scenes, shows one or a mosaic, keeps the address bar in step. */
import {
  ApiError,
  fetchCollections,
  fetchItem,
  fetchPoint,
  fetchTileSet,
  namesOf,
  nextPage,
  searchItems,
  withRendering,
  type Item,
  type ItemPage,
  type Layer,
  type Mosaic,
  type SceneInfo,
  type Style,
  type TileSet,
} from './api';
import { fetchCollectionStyles, fetchInfo } from './info';
import { areaOf, centreOf, contains, unionOf, type BBox } from './geo';
import { formatIndicator, INDICATOR, OWN, type Indicator } from './indicator';
import { formatLink, parseLink, parsePlace, type Camera, type Link } from './link';
import type { MapView } from './map/map';
import type { PixelPanel } from './panels/pixel';
import { titleOf } from './panels/title';
import type { Filter, Pending, State, Store } from './store';
import { formatStretch, pictureQuery, STRETCH, stretchedAs, stretchOf, type Stretch } from './stretch';
import { t } from './words/shell';

/** More dates than this over one place would not fit on a timeline. */
const LONGEST_SERIES = 500;
/** A footprint this much smaller than the largest isn't what a newcomer should see first. */
const WORTH_SHOWING_FIRST = 0.5;
/** Nor is one with more cloud than this, in per cent. */
const CLEAR_ENOUGH = 30;

const newestFirst = (a: Item, b: Item): number => b.datetime.getTime() - a.datetime.getTime();
const sentence = (error: unknown): string =>
  error instanceof ApiError ? error.message : t('page-failed');

/** The newest of the scenes that aren't small beside the largest, at best one that can be drawn, without much cloud; as the server's page.py: test/first.cases.json. */
export function firstToShow(items: readonly Item[]): Item | null {
  const largest = Math.max(0, ...items.map((item) => areaOf(item.bbox)));
  const large = items.filter((item) => areaOf(item.bbox) >= largest * WORTH_SHOWING_FIRST).sort(newestFirst);
  const drawn = large.filter(({ here }) => !here || here.layers.some((layer) => layer !== 'head'));
  return drawn.find(({ cloudCover }) => (cloudCover ?? 0) <= CLEAR_ENOUGH) ?? drawn[0] ?? large[0] ?? null;
}

const layerKey = (layer: Layer): string => JSON.stringify(layer);

/** What is to be shown next. */
interface Target {
  layer: Layer;
  item: Item;
  series: Item[];
  style: string | null;
  /** Where the map goes first; null stays. */
  box: BBox | null;
  animate: boolean;
}

export class Viewer {
  readonly #store: Store;
  readonly #pixel: PixelPanel;
  readonly #styles = new Map<string, Style[]>();
  readonly #tileSets = new Map<string, TileSet>();
  /** Resolves when the map is up; with null when this browser can't draw one. */
  readonly #map: Promise<MapView | null>;
  #camera: Camera | null = null;
  #showing = new AbortController();
  #searching = new AbortController();
  #reading = new AbortController();
  /** Where the values of the pixel panel are from. */
  #sample: [number, number] | null = null;
  /** The link that the page was opened with. */
  #link: Link | null = null;
  /** Whether the catalogue has been asked once. */
  #begun = false;
  /** The link as last written, to tell our own changes of the address from the user's. */
  #written = '';

  constructor(store: Store, pixel: PixelPanel, map: Promise<MapView | null>) {
    this.#store = store;
    this.#map = map;
    this.#pixel = pixel;
    store.watch(['layer', 'style', 'opacity', 'projection', 'extras'], () => this.#writeLink());
    addEventListener('hashchange', () => {
      if (location.hash !== this.#written) void this.#follow(parseLink(location.hash));
    });
  }

  /**
   * Shows the scene that the page begins with, or what else the link names, or else the one that is best to begin with;
   * the catalogue is loaded meanwhile, or before where it takes that.
   */
  async start(link: Link, beginning: Item | null): Promise<void> {
    this.#link = link;
    this.#camera = link.camera;
    const catalogue = Promise.all([this.#loadCollections(), this.#search()]);
    if (beginning) {
      const { opacity, projection, extras, style, camera } = link;
      this.#store.update({ opacity, projection, extras });
      this.#sample = parsePlace(extras.get('pixel'));
      await Promise.all([catalogue, this.show(beginning, { move: camera ? 'stay' : 'jump', style })]);
      this.#begun = true;
      return;
    }
    await catalogue;
    this.#begun = true;
    if (this.#state.catalogue !== 'ready') return;
    if (link.layer || link.camera) return this.#follow(link);
    const first = firstToShow(this.#state.items);
    if (first) await this.show(first, { move: 'jump' });
  }

  /** Lists what the filter leaves. Another collection is shown, too, by its best scene to begin with; dates alone leave the picture as it is. */
  async filter(filter: Filter): Promise<void> {
    const another = filter.collection !== null && filter.collection !== this.#state.filter.collection;
    this.#store.update({ filter });
    await this.#search();
    const { filter: latest, catalogue, items, layer, pending } = this.#state;
    if (!another || latest !== filter || catalogue !== 'ready') return;
    if ((pending?.layer ?? layer)?.collection === filter.collection) return;
    const first = firstToShow(items);
    if (first) await this.show(first, { move: 'fly' });
  }

  async reload(): Promise<void> {
    this.#store.update({ error: null, catalogue: 'loading' });
    await this.start(this.#link ?? parseLink(location.hash), null);
  }

  async more(): Promise<void> {
    const { next, items } = this.#state;
    if (!next) return;
    const { signal } = this.#searching;
    await this.#guard(async () => this.#addPage(await nextPage(next, signal), items), signal);
  }

  /** Shows a scene. `jump` and `fly` move the map to it; `stay` doesn't. */
  async show(item: Item, { move, style = this.#state.style }: { move: 'jump' | 'fly' | 'stay'; style?: string | null }): Promise<void> {
    const same = this.#state.item;
    const samePlace = same !== null && same.collection === item.collection && contains(item.geometry, ...centreOf(same.bbox));
    const series = samePlace && this.#state.series.some((each) => each.key === item.key) ? this.#state.series : [item];
    const layer = { collection: item.collection, item: item.id };
    const box = move === 'stay' ? null : item.bbox;
    const shown = await this.#present({ layer, item, series, style, box, animate: move === 'fly' });
    if (shown && series.length < 2) await this.#loadSeries(item);
  }

  async mosaic(layer: Mosaic, style = this.#state.style): Promise<void> {
    const { collection, from = null, until } = layer;
    const signal = this.#wait({ layer, item: this.#state.item, style });
    await this.#attempt(async () => {
      const { items } = await searchItems({ collection, from, to: until, limit: LONGEST_SERIES });
      if (signal.aborted) return; // an answer that comes late would take the place of what was asked for since
      const newest = items.sort(newestFirst)[0];
      if (!newest) throw new ApiError(t('no-scene-until'), null);
      const before = this.#state.layer;
      const again = before !== null && !('item' in before) && before.collection === collection && (before.from ?? null) === from;
      const series = again ? this.#state.series : [...items].reverse();
      await this.#present({ layer, item: newest, series, style, box: null, animate: false });
    });
  }

  async setStyle(style: string): Promise<void> {
    await this.#redraw({ style });
  }

  /** Draws an indicator of the user's own, which the link then has. */
  async setIndicator(indicator: Indicator): Promise<void> {
    this.#store.setExtra(INDICATOR, formatIndicator(indicator));
    await this.#redraw({ style: OWN });
  }

  /** Draws in another stretch, which the link then has. */
  async setStretch(stretch: Stretch): Promise<void> {
    this.#store.setExtra(STRETCH, formatStretch(stretch));
    await this.#redraw({});
  }

  async fit(): Promise<void> {
    const { layer, item, series } = this.#state;
    const box = layer && 'item' in layer ? item?.bbox : unionOf(series.map((each) => each.bbox));
    if (box) await this.#goTo(box, true);
  }

  /** A click: values where something is shown, else the scene whose outline lies there. */
  async click(lon: number, lat: number, keys: readonly string[]): Promise<void> {
    const { layer, item, series, items } = this.#state;
    const shown = layer && 'item' in layer ? (item ? [item] : []) : series;
    if (shown.some((each) => contains(each.geometry, lon, lat))) return this.read(lon, lat);
    const other = items.find((each) => keys.includes(each.key));
    if (other) return this.show(other, { move: 'fly' });
    this.#pixel.close();
  }

  async read(lon: number, lat: number): Promise<void> {
    const { layer, item, info, style } = this.#state;
    if (!layer || !item) return;
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    this.#sample = [lon, lat];
    this.#store.setExtra('pixel', `${lon.toFixed(5)},${lat.toFixed(5)}`);
    const shown = info?.styles.find(({ id }) => id === style) ?? null;
    (await this.#map)?.setSample([lon, lat]);
    const readings = await this.#pixel.readings().catch(() => this.#store.update({ error: t('no-answer') }));
    if (!readings || signal.aborted) return;
    readings.waiting(lon, lat);
    try {
      const values = await fetchPoint(layer, lon, lat, shown, signal);
      if (!signal.aborted) readings.values(lon, lat, values, shown, 'item' in layer ? item : null, 'pixels' in layer);
    } catch (error) {
      if (!signal.aborted) readings.problem(lon, lat, sentence(error));
    }
  }

  /** The pixel panel has been closed: values on their way are no longer wanted. */
  forgetPixel(): void {
    this.#reading.abort();
    this.#sample = null;
    this.#store.setExtra('pixel', null);
  }

  moved(camera: Camera): void {
    this.#camera = camera;
    this.#store.update({ camera });
    this.#writeLink();
  }

  get #state(): Readonly<State> {
    return this.#store.state;
  }

  async #loadCollections(): Promise<void> {
    await this.#guard(async () => this.#store.update({ collections: await fetchCollections() }));
  }

  async #search(): Promise<void> {
    this.#searching.abort();
    this.#searching = new AbortController();
    const { signal } = this.#searching;
    this.#store.update({ catalogue: 'loading' });
    try {
      this.#addPage(await searchItems(this.#state.filter, signal), []);
    } catch (error) {
      if (!signal.aborted) this.#store.update({ catalogue: 'failed', items: [], matched: null, next: null, error: sentence(error) });
    }
  }

  #addPage(page: ItemPage, before: readonly Item[]): void {
    const items = [...before, ...page.items].sort(newestFirst);
    this.#store.update({ items, matched: page.matched, next: page.next, catalogue: 'ready' });
  }

  /** Other dates of the same collection over the middle of a scene. */
  async #loadSeries(item: Item): Promise<void> {
    const [lon, lat] = centreOf(item.bbox);
    const bbox: BBox = [lon, lat, lon, lat];
    await this.#guard(async () => {
      const { items } = await searchItems({ collection: item.collection, bbox, limit: LONGEST_SERIES });
      if (this.#state.item?.key === item.key) this.#store.update({ series: items.sort(newestFirst).reverse() });
    });
  }

  #wait(pending: Pending): AbortSignal {
    this.#showing.abort();
    this.#showing = new AbortController();
    this.#store.update({ pending, error: null });
    return this.#showing.signal;
  }

  /**
   * Gets what drawing needs, moves, draws; the state changes once the picture is there, and stays as it is if that
   * fails. A later call makes an earlier one stop. Resolves with whether it is shown.
   */
  async #present(target: Target): Promise<boolean> {
    const { layer, item, series, box, animate } = target;
    const signal = this.#wait(target);
    try {
      const travel = box ? this.#goTo(box, animate) : null;
      const [scene, styles, tiles, map] = await Promise.all([
        this.#infoOf(item, signal),
        'item' in layer ? null : this.#stylesOf(layer.collection, signal),
        this.#tileSetOf(layer, signal),
        this.#map,
        travel,
      ]);
      if (signal.aborted) return false;
      const offered = styles ? stretchedAs(styles, scene.styles) : scene.styles;
      const info = { ...scene, styles: await this.#withOthers(offered, target, namesOf(scene.bands), signal) };
      const style = info.styles.find(({ id }) => id === target.style) ?? info.styles[0] ?? null;
      const rendering = pictureQuery(style, stretchOf(this.#state.extras));
      const problem = (await map?.showTiles({ ...tiles, template: withRendering(tiles.template, rendering) })) ?? null;
      if (signal.aborted) return false;
      const viewed = new Map(this.#state.viewed).set(item.key, scene);
      const missing = target.style !== null && style !== null && style.id !== target.style;
      const error = missing ? t('no-style', { style: target.style ?? '', shown: style.title }) : problem;
      const credit = tiles.attribution;
      const clouds = this.#state.item?.collection === item.collection ? this.#state.clouds : new Map<string, number>(); // ids are of one collection
      this.#store.update({ clouds, layer, item, series, info, viewed, style: style?.id ?? null, rendering, credit, pending: null });
      if (error) this.#store.update({ error }); // else what was said meanwhile stays, as that there is no map
      this.#readAgain();
      return true;
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
      return false;
    }
  }

  /** What is offered, with the indicator of the link, and with the document that it names. */
  async #withOthers(offered: readonly Style[], { style, item }: Target, bands: readonly string[], signal: AbortSignal): Promise<Style[]> {
    const { extras } = this.#state;
    if (!extras.has(INDICATOR) && (style === null || offered.some(({ id }) => id === style))) return [...offered];
    const { styleOfDocument, withOwn } = await import('./documents');
    const styles = await withOwn(offered, extras, item.collection, bands);
    if (style === null || styles.some(({ id }) => id === style)) return styles;
    const document = await styleOfDocument(style, bands, signal);
    return document ? [document, ...styles] : styles;
  }

  /** The same layer in another way. */
  async #redraw(change: Partial<Pick<Target, 'style'>>): Promise<void> {
    const { layer, item, series, style } = this.#state;
    if (layer && item) await this.#present({ layer, item, series, style, box: null, animate: false, ...change });
  }

  /** Values that were read belong to the picture that has gone: they are read anew, where the new one has any. */
  #readAgain(): void {
    const { layer, item, series } = this.#state;
    if (!this.#sample || !layer || !item) return;
    const [lon, lat] = this.#sample;
    const shown = 'item' in layer ? [item] : series;
    if (shown.some((each) => contains(each.geometry, lon, lat))) void this.read(lon, lat);
    else this.#pixel.close();
  }

  /** Says that something failed, and what is still to be seen. */
  #failed(error: unknown): void {
    const { layer, item } = this.#state;
    const shown = layer && item ? t('still-shown', { title: titleOf(layer, item) }) : '';
    this.#store.update({ pending: null, error: [sentence(error), shown].filter(Boolean).join(' ') });
  }

  async #infoOf({ key, collection, id }: Item, signal: AbortSignal): Promise<SceneInfo> {
    return this.#state.viewed.get(key) ?? fetchInfo(collection, id, signal);
  }

  async #stylesOf(collection: string, signal: AbortSignal): Promise<Style[]> {
    const styles = this.#styles.get(collection) ?? (await fetchCollectionStyles(collection, signal));
    this.#styles.set(collection, styles);
    return styles;
  }

  async #tileSetOf(layer: Layer, signal: AbortSignal): Promise<TileSet> {
    const tiles = this.#tileSets.get(layerKey(layer)) ?? (await fetchTileSet(layer, signal));
    this.#tileSets.set(layerKey(layer), tiles);
    return tiles;
  }

  async #goTo(box: BBox, animate: boolean): Promise<void> {
    await (await this.#map)?.goTo(box, animate);
  }

  async #follow(link: Link): Promise<void> {
    this.#camera = link.camera ?? this.#camera;
    const { style, opacity, projection, extras, layer, camera } = link;
    this.#store.update({ opacity, projection, extras });
    this.#sample = parsePlace(extras.get('pixel'));
    if (camera) void this.#map.then((map) => map?.jumpTo(camera));
    await this.#attempt(async () => {
      if (!layer) {
        if (camera) await this.#showThere(camera, style);
      } else if ('item' in layer) {
        const known = this.#state.items.find(({ collection, id }) => collection === layer.collection && id === layer.item);
        const item = known ?? (await fetchItem(layer.collection, layer.item));
        await this.show(item, { move: camera ? 'stay' : 'jump', style });
      } else {
        await this.mosaic(layer, style);
        if (!camera) await this.fit();
      }
    });
  }

  /** A link of a place alone: shows a scene of there, at best over the middle of the map. */
  async #showThere({ lon, lat }: Camera, style: string | null): Promise<void> {
    const shown = this.#state.item;
    if (shown && contains(shown.geometry, lon, lat)) return;
    const here: BBox = [lon, lat, lon, lat];
    const view = (await this.#map)?.view() ?? here;
    for (const bbox of [here, view]) {
      const { items } = await searchItems({ bbox });
      const item = firstToShow(items);
      if (item) return this.show(item, { move: 'stay', style });
    }
    throw new ApiError(t('nothing-here'), null);
  }

  /** Says what goes wrong with something beside the picture. */
  async #guard(work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    await work().catch((error: unknown) => {
      if (!signal?.aborted) this.#store.update({ error: sentence(error) });
    });
  }

  /** Says what goes wrong on the way to another picture. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => this.#failed(error));
  }

  #writeLink(): void {
    const { layer, style, opacity, projection, extras, pending } = this.#state;
    if (!layer && (pending || !this.#begun)) return; // the link that opened the page is still to be followed
    this.#written = formatLink({ camera: this.#camera, layer, style, opacity, projection, extras });
    history.replaceState(null, '', this.#written);
  }
}
