/** What the viewer does: finds scenes, shows one or a mosaic, keeps the address bar in step. */
import {
  ApiError,
  fetchCollections,
  fetchCollectionStyles,
  fetchInfo,
  fetchItem,
  fetchPoint,
  fetchTileSet,
  nextPage,
  searchItems,
  withStyle,
  type Item,
  type ItemPage,
  type Layer,
  type SceneInfo,
  type Style,
  type TileSet,
} from './api';
import { areaOf, centreOf, contains, unionOf, type BBox } from './geo';
import { formatLink, parseLink, type Camera, type Link } from './link';
import type { MapView } from './map/map';
import type { PixelPanel } from './panels/pixel';
import type { Filter, State, Store } from './store';
import { formatStretch, pictureQuery, STRETCH, stretchOf, type Stretch } from './stretch';

/** More dates than this over one place would not fit on a timeline. */
const LONGEST_SERIES = 500;
/** A footprint this much smaller than the largest isn't what a newcomer should see first. */
const WORTH_SHOWING_FIRST = 0.5;

const newestFirst = (a: Item, b: Item): number => b.datetime.getTime() - a.datetime.getTime();
const sentence = (error: unknown): string =>
  error instanceof ApiError ? error.message : 'Something went wrong in this page; reload it.';

/** The newest of the scenes that aren't small beside the largest. */
export function firstToShow(items: readonly Item[]): Item | null {
  const largest = Math.max(0, ...items.map((item) => areaOf(item.bbox)));
  return items.filter((item) => areaOf(item.bbox) >= largest * WORTH_SHOWING_FIRST).sort(newestFirst)[0] ?? null;
}

const layerKey = (layer: Layer): string => JSON.stringify(layer);

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
  /** The link that the page was opened with. */
  #link: Link | null = null;
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

  /** Loads the catalogue, then shows what the link names, or else the scene that is best to begin with. */
  async start(link: Link): Promise<void> {
    this.#link = link;
    this.#camera = link.camera;
    await Promise.all([this.#loadCollections(), this.#search()]);
    if (this.#state.catalogue !== 'ready') return;
    if (link.layer) return this.#follow(link);
    const first = firstToShow(this.#state.items);
    if (first) await this.show(first, { move: link.camera ? 'stay' : 'jump' });
  }

  async filter(filter: Filter): Promise<void> {
    this.#store.update({ filter });
    await this.#search();
    const box = unionOf(this.#state.items.map((item) => item.bbox));
    const shown = this.#state.item;
    if (box && shown && !this.#state.items.some((item) => item.key === shown.key)) await this.#goTo(box, true);
  }

  async reload(): Promise<void> {
    this.#store.update({ error: null, catalogue: 'loading' });
    await this.start(this.#link ?? parseLink(location.hash));
  }

  async more(): Promise<void> {
    const { next, items } = this.#state;
    if (!next) return;
    await this.#guard(async () => this.#addPage(await nextPage(next), items));
  }

  /** Shows a scene. `jump` and `fly` move the map to it; `stay` doesn't. */
  async show(item: Item, { move }: { move: 'jump' | 'fly' | 'stay' }): Promise<void> {
    const same = this.#state.item;
    const samePlace = same !== null && same.collection === item.collection && contains(item.geometry, ...centreOf(same.bbox));
    const series = samePlace && this.#state.series.some((each) => each.key === item.key) ? this.#state.series : [item];
    this.#store.update({ layer: { collection: item.collection, item: item.id }, item, series, error: null });
    await this.#present(item, move === 'stay' ? null : item.bbox, move === 'fly');
    if (series.length < 2) await this.#loadSeries(item);
  }

  async mosaic(collection: string, until: string | null): Promise<void> {
    await this.#guard(async () => {
      const { items } = await searchItems({ collection, to: until, limit: LONGEST_SERIES });
      const newest = items.sort(newestFirst)[0];
      if (!newest) throw new ApiError('This collection has no scene up to that date.', null);
      const before = this.#state.layer;
      const again = before !== null && !('item' in before) && before.collection === collection;
      const series = again ? this.#state.series : [...items].reverse();
      this.#store.update({ layer: { collection, until }, item: newest, series, error: null });
      await this.#present(newest, null, false);
    });
  }

  async setStyle(style: string): Promise<void> {
    this.#store.update({ style });
    await this.#draw();
  }

  /** Draws in another stretch, which the link then has. */
  async setStretch(stretch: Stretch): Promise<void> {
    this.#store.setExtra(STRETCH, formatStretch(stretch));
    await this.#draw();
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
    const { layer } = this.#state;
    if (!layer) return;
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    (await this.#map)?.setSample([lon, lat]);
    this.#pixel.waiting(lon, lat);
    try {
      this.#pixel.values(lon, lat, await fetchPoint(layer, lon, lat, signal));
    } catch (error) {
      if (!signal.aborted) this.#pixel.problem(lon, lat, sentence(error));
    }
  }

  moved(camera: Camera): void {
    this.#camera = camera;
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

  /** Gets what drawing needs, moves, draws. A later call makes an earlier one stop. */
  async #present(item: Item, box: BBox | null, animate: boolean): Promise<void> {
    this.#showing.abort();
    this.#showing = new AbortController();
    const { signal } = this.#showing;
    const { layer } = this.#state;
    if (!layer) return;
    try {
      const travel = box ? this.#goTo(box, animate) : null;
      const [scene, styles] = await Promise.all([
        this.#infoOf(item, signal),
        'item' in layer ? null : this.#stylesOf(layer.collection, signal),
        this.#tileSetOf(layer, signal),
        travel,
      ]);
      const info = styles ? { ...scene, styles } : scene;
      if (signal.aborted) return;
      const { style } = this.#state;
      const kept = info.styles.some(({ id }) => id === style) ? style : (info.styles[0]?.id ?? null);
      const viewed = new Map(this.#state.viewed).set(item.key, scene);
      this.#store.update({ info, viewed, style: kept });
      await this.#draw();
    } catch (error) {
      if (!signal.aborted) this.#store.update({ error: sentence(error) });
    }
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

  async #draw(): Promise<void> {
    const map = await this.#map;
    const { layer, style, info, extras } = this.#state;
    const rendering = pictureQuery(info?.styles.find(({ id }) => id === style) ?? null, stretchOf(extras));
    const tiles = layer ? this.#tileSets.get(layerKey(layer)) : undefined;
    this.#store.update({ credit: tiles?.attribution ?? '', rendering });
    map?.showTiles(tiles ? { ...tiles, template: withStyle(tiles.template, style, rendering) } : null);
  }

  async #goTo(box: BBox, animate: boolean): Promise<void> {
    await (await this.#map)?.goTo(box, animate);
  }

  async #follow(link: Link): Promise<void> {
    this.#camera = link.camera ?? this.#camera;
    const { style, opacity, projection, extras } = link;
    this.#store.update({ style, opacity, projection, extras });
    if (link.camera) (await this.#map)?.jumpTo(link.camera);
    const { layer } = link;
    if (!layer) return;
    if (!('item' in layer)) {
      await this.mosaic(layer.collection, layer.until);
      return link.camera ? undefined : this.fit();
    }
    await this.#guard(async () => {
      const known = this.#state.items.find(({ collection, id }) => collection === layer.collection && id === layer.item);
      const item = known ?? (await fetchItem(layer.collection, layer.item));
      await this.show(item, { move: link.camera ? 'stay' : 'jump' });
    });
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#store.update({ error: sentence(error) });
    }
  }

  #writeLink(): void {
    const { layer, style, opacity, projection, extras, catalogue } = this.#state;
    if (catalogue === 'loading' && !layer) return; // the link that opened the page is still to be followed
    this.#written = formatLink({ camera: this.#camera, layer, style, opacity, projection, extras });
    history.replaceState(null, '', this.#written);
  }
}
