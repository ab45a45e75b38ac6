/** All dates of a place one after the other: played on the map, saved as a film. */
import type { Item } from '../../api';
import { h } from '../../dom';
import { dayOf, formatBytes } from '../../format';
import { roundedBox, type BBox } from '../../geo';
import type { MapView } from '../../map/map';
import { BYTES_PER_PIXEL, fileName, placeName, sizeOf, styleName } from '../../picture/ground';
import { addSheet } from '../../sheets';
import type { Store } from '../../store';
import { words } from '../../words/words';
import { saveBlob, sentence } from '../common';
import { captionOf } from '../download/picture';
import type { Context, ToolPanel } from '../registry';
import { makeFilm } from './film';
import { CLOUDY, cloudsOver, fetchFrames, MOST_FRAMES, spread, withoutClouds, type Frame } from './frames';
import { Screen } from './screen';
import css from './timelapse.css';
import type { Format } from './worker';

type Key = keyof typeof import('../../words/timelapse/en.json');
const t = words<Key>('timelapse');
const SPEEDS: readonly [Key, number][] = [['slow', 1], ['middle', 2], ['fast', 5]];
const FORMATS: readonly Format[] = ['gif', 'webp', 'video'];
const LIMITS = [2e6, 8e6, 20e6];
const SIDE = { few: 512, many: 960 };

addSheet(css);

class Timelapse implements ToolPanel {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #map: Promise<MapView | null>;
  readonly #play = h('button', { type: 'button', class: 'timelapse-main', click: () => void this.#toggle() }, t('play'));
  readonly #price = h('p', { class: 'hint', role: 'status' });
  readonly #day = h('output', { class: 'timelapse-day' });
  readonly #range = h('input', { type: 'range', min: 0, value: 0, 'aria-label': t('frame'), input: () => this.#show(Number(this.#range.value)) });
  readonly #skip = h('input', { type: 'checkbox', checked: true, change: () => void this.#plan() });
  readonly #speed = h('select', { 'aria-label': t('speed'), change: () => this.#run() }, ...SPEEDS.map(([key, value]) => h('option', { value, selected: value === 2 }, t(key))));
  readonly #format = h('select', { 'aria-label': t('save') }, ...FORMATS.map((value) => h('option', { value }, t(value))));
  readonly #most = h('select', { 'aria-label': t('most') }, ...LIMITS.map((value) => h('option', { value, selected: value === 8e6 }, formatBytes(value))));
  readonly #save = h('button', { type: 'button', click: () => void this.#export() }, t('export'));
  readonly #said = h('p', { class: 'timelapse-said', role: 'status' });
  readonly #viewer = h('div', { class: 'timelapse-viewer', hidden: true }, this.#day, this.#range,
    h('div', { class: 'timelapse-row' }, h('label', {}, t('save'), this.#format), h('label', {}, t('most'), this.#most), this.#save));
  #open = false;
  #items: Item[] = [];
  #box: BBox | null = null;
  #frames: Frame[] = [];
  #screen: Screen | null = null;
  #index = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #working = new AbortController();
  readonly #moved = (): void => void this.#plan();

  constructor({ store, map }: Context) {
    this.#store = store;
    this.#map = map;
    this.element = h('div', { class: 'timelapse' },
      h('div', { class: 'timelapse-row' }, this.#play, h('label', {}, t('speed'), this.#speed)),
      h('label', { class: 'timelapse-check' }, this.#skip, t('skip', { share: CLOUDY })),
      this.#price, this.#viewer, this.#said);
    store.watch(['series', 'style', 'rendering'], () => {
      if (this.#open) void this.#plan();
    });
  }

  open(): void {
    this.#open = true;
    void this.#map.then((map) => map?.maplibre.on('moveend', this.#moved));
    void this.#plan();
  }

  close(): void {
    this.#open = false;
    void this.#map.then((map) => map?.maplibre.off('moveend', this.#moved));
    this.#forget();
  }

  #forget(): void {
    this.#working.abort();
    this.#stop();
    this.#screen?.remove(this.#store.state.opacity);
    this.#screen = null;
    for (const { picture } of this.#frames) picture.close();
    this.#frames = [];
    this.#viewer.hidden = true;
  }

  #side(): number {
    return Math.min(innerWidth, innerHeight) < 768 ? SIDE.few : SIDE.many;
  }

  /** Which dates there are to be seen here, and what they cost. What has been loaded of another view stays until it is played again. */
  async #plan(): Promise<void> {
    const loaded = this.#frames.length > 0;
    this.#working.abort();
    this.#working = new AbortController();
    const { signal } = this.#working;
    const { series, item } = this.#store.state;
    const map = await this.#map;
    if (!map || !item || signal.aborted) return;
    const box = roundedBox(map.view());
    this.#play.disabled = series.length < 2;
    if (series.length < 2) return void (this.#price.textContent = t('few'));
    const clouds = this.#skip.checked ? await cloudsOver(item.collection, box, series, signal).catch(() => new Map<string, number>()) : new Map<string, number>();
    if (signal.aborted) return;
    const clear = withoutClouds(series, clouds);
    this.#items = spread(clear.length > 1 ? clear : series, MOST_FRAMES);
    const { width, height } = sizeOf(box, this.#side());
    const size = formatBytes(width * height * BYTES_PER_PIXEL * this.#items.length);
    const left = series.length - clear.length;
    this.#price.textContent = [
      t('price', { count: this.#items.length, size }),
      this.#items.length < clear.length ? t('of', { all: clear.length }) : '',
      left > 0 && clear.length > 1 ? t('skipped', { count: left }) : '',
    ].filter(Boolean).join(' · ');
    if (loaded && String(box) !== String(this.#box)) this.#said.textContent = t('moved');
    this.#box = box;
  }

  async #toggle(): Promise<void> {
    if (this.#timer !== undefined) return this.#stop();
    if (this.#frames.length === 0 || this.#said.textContent === t('moved')) await this.#load();
    this.#run();
  }

  async #load(): Promise<void> {
    const [map, box, items] = [await this.#map, this.#box, this.#items];
    if (!map || !box || items.length < 2) return;
    this.#forget();
    this.#working = new AbortController();
    const { signal } = this.#working;
    const { rendering } = this.#store.state;
    const count = items.length;
    const told = (done: number): void => void (this.#said.textContent = t('loading', { done, count }));
    told(0);
    try {
      // one stretch for all: that of the picture that is shown
      const frames = await fetchFrames(items, rendering, box, this.#side(), signal, told);
      if (signal.aborted || !this.#open) return;
      this.#frames = frames;
      const { width, height } = (frames[0] as Frame).picture;
      this.#screen = new Screen(map, box, width, height);
      this.#range.max = String(count - 1);
      this.#viewer.hidden = false;
      this.#said.textContent = '';
      this.#show(0);
    } catch (error) {
      if (!signal.aborted) this.#said.textContent = sentence(error);
    }
  }

  #run(): void {
    const going = this.#timer !== undefined || document.activeElement === this.#play;
    this.#stop();
    if (this.#frames.length < 2 || !going) return;
    this.#timer = setInterval(() => this.#show((this.#index + 1) % this.#frames.length), 1000 / Number(this.#speed.value));
    this.#play.textContent = t('pause');
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#play.textContent = t('play');
  }

  #show(index: number): void {
    const frame = this.#frames[index];
    if (!frame) return;
    this.#index = index;
    this.#screen?.show(frame.picture);
    this.#day.textContent = dayOf(frame.item);
    this.#range.value = String(index);
    this.#range.setAttribute('aria-valuetext', dayOf(frame.item));
  }

  async #export(): Promise<void> {
    const [box, frames] = [this.#box, this.#frames];
    const first = frames[0];
    if (!box || !first) return;
    const { state } = this.#store;
    const most = Number(this.#most.value);
    const format = this.#format.value as Format;
    this.#save.disabled = true;
    const told = (share: number): void => void (this.#said.textContent = t('encoding', { count: Math.round(share * 100) }));
    const captioned = frames.map(({ item, picture }) => ({ picture, caption: captionOf({ ...state, item, layer: { collection: item.collection, item: item.id } }, box, picture.width) }));
    try {
      const made = await makeFilm(captioned, format, Number(this.#speed.value), most, told);
      if (made === null) this.#said.textContent = t('cannot');
      else if (made === undefined) this.#said.textContent = t('too-large', { size: formatBytes(most) });
      else {
        const name = fileName(`${placeName(box)}_${frames.length}`, first.item.datetime, styleName(state), { gif: 'gif', webp: 'webp', video: 'mp4' }[format]);
        saveBlob(made.blob, name);
        this.#said.textContent = t('saved', { name, size: formatBytes(made.blob.size), width: made.width, height: made.height });
      }
    } catch (error) {
      this.#said.textContent = sentence(error);
    }
    this.#save.disabled = false;
  }
}

export const create = (context: Context): ToolPanel => new Timelapse(context);
