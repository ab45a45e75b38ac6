/** Files to take away, by what they are for; the area they are of; how large they are, before they are made. */
import { h } from '../../dom';
import { formatBytes } from '../../format';
import { roundedBox, type BBox } from '../../geo';
import type { MapView } from '../../map/map';
import { addSheet } from '../../sheets';
import { shownStyle, type Store } from '../../store';
import { words } from '../../words/words';
import { sentence } from '../common';
import type { Context, ToolPanel } from '../registry';
import { AreaForm, parseArea } from './area';
import css from './download.css';
import { directAddress, estimate, mosaicAddress, seriesAddress, type Content, type Estimate, type FileFormat, type Order, type Scene } from './extracts';
import { Download } from './job';
import { linkRows } from './links';
import { areaPicture, priceOf, viewPicture, type Picture } from './picture';

type Key = keyof typeof import('../../words/download/en.json');
const t = words<Key>('download');
/** Typing and moving go on for so long before the size is asked for. */
const PAUSE = 400;
const PURPOSES = ['picture', 'tif', 'kmz', 'links'] as const;
type Purpose = (typeof PURPOSES)[number];
const CONTENTS: readonly [Content, Key][] = [['stored', 'stored'], ['physical', 'physical'], ['style', 'style-values']];

addSheet(css);

function sizeText({ width, height, bands, pictures, bytes }: Estimate): string {
  const size = formatBytes(bytes);
  if (pictures !== null) return t('size-pictures', { count: pictures, size });
  return t('size-pixels', { width: width ?? 0, height: height ?? 0, bands: t('band-count', { count: bands ?? 0 }), size });
}

class DownloadTool implements ToolPanel {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #map: Promise<MapView | null>;
  readonly #size = h('p', { class: 'size', role: 'status' });
  readonly #area: AreaForm;
  readonly #file: Download;
  readonly #links = h('div', { class: 'links' });
  readonly #content = h('select', { 'aria-label': t('numbers'), change: () => this.#ask() }, ...CONTENTS.map(([value, key]) => h('option', { value }, t(key))));
  readonly #bands = h('input', { class: 'names', dir: 'ltr', 'aria-label': t('bands'), placeholder: t('bands-hint'), spellcheck: 'false', input: () => this.#ask() });
  #purpose: Purpose = 'picture';
  #open = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = new AbortController();
  readonly #moved = (): void => void this.#follow();

  constructor({ store, map }: Context) {
    this.#store = store;
    this.#map = map;
    this.#area = new AreaForm(map, () => this.#ask());
    this.#file = new Download((text) => (this.#size.textContent = text));
    const chip = (purpose: Purpose): HTMLElement => h('label', { class: 'chip' },
      h('input', { type: 'radio', name: 'download-purpose', value: purpose, checked: purpose === this.#purpose, change: () => this.#choose(purpose) }), h('span', {}, t(purpose)));
    this.element = h('div', { class: 'download-tool' },
      h('fieldset', {}, h('legend', {}, t('purpose')), h('div', { class: 'chips' }, ...PURPOSES.map(chip))),
      this.#area.element, h('div', { class: 'what' }, this.#content, this.#bands), this.#links, this.#size, this.#file.element);
    store.watch(['layer', 'style', 'item', 'rendering', 'tilesLoading'], () => this.#ask());
  }

  open(): void {
    this.#open = true;
    const kept = parseArea(this.#store.state.extras.get('area'));
    void this.#map.then((map) => {
      map?.maplibre.on('moveend', this.#moved);
      if (kept) this.#area.set(kept);
      else if (this.#area.follows) void this.#area.takeView();
      else this.#area.set(this.#area.value ?? null);
    });
    this.#ask();
  }

  close(): void {
    this.#open = false;
    this.#area.stopDrawing();
    this.#asking.abort();
    clearTimeout(this.#timer);
    this.#store.setExtra('area', null);
    void this.#map.then((map) => {
      map?.maplibre.off('moveend', this.#moved);
      map?.showArea(null);
    });
  }

  #choose(purpose: Purpose): void {
    this.#purpose = purpose;
    this.#ask();
  }

  async #follow(): Promise<void> {
    if (this.#area.follows) await this.#area.takeView();
  }

  /** Finds out how large the file would be, when the tool is open and something has changed. */
  #ask(): void {
    const purpose = this.#purpose;
    const { layer, item, rendering } = this.#store.state;
    this.#content.hidden = purpose !== 'tif';
    this.#bands.hidden = purpose !== 'tif' || this.#content.value === 'style';
    this.#area.element.hidden = this.#size.hidden = this.#file.element.hidden = purpose === 'links';
    this.#links.hidden = purpose !== 'links';
    clearTimeout(this.#timer);
    this.#asking.abort();
    this.#file.withdraw();
    this.#size.textContent = '';
    if (!this.#open || !layer || !item) return;
    const area = this.#area.value;
    this.#store.setExtra('area', area && !this.#area.follows ? area.join(',') : null);
    if (purpose === 'links') this.#links.replaceChildren(...linkRows(layer, rendering));
    else if (area === undefined) this.#size.textContent = t('wrong-area');
    else this.#timer = setTimeout(() => void this.#measure(purpose, area), PAUSE);
  }

  async #measure(purpose: 'picture' | FileFormat, area: BBox | null): Promise<void> {
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    try {
      await (purpose === 'picture' ? this.#offerPicture(area, signal) : this.#offerFile(purpose, area, signal));
    } catch (error) {
      if (!signal.aborted) this.#size.textContent = sentence(error);
    }
  }

  async #offerPicture(area: BBox | null, signal: AbortSignal): Promise<void> {
    const { state } = this.#store;
    const { layer, item, rendering } = state;
    const map = await this.#map;
    if (!layer || !item || !map) return;
    if (this.#area.follows) {
      if (state.tilesLoading) return; // asked again when they are there
      const picture = await viewPicture(map, state);
      if (signal.aborted) return;
      this.#size.textContent = t('size-picture', { width: picture.width, height: picture.height, size: formatBytes(picture.blob.size) });
      return this.#file.offer({ make: async () => picture });
    }
    const box = roundedBox(area ?? item.bbox);
    this.#size.textContent = t('picture-price', { size: formatBytes(priceOf(box)) });
    this.#file.offer({ make: (): Promise<Picture> => areaPicture(layer, rendering, box, state) });
  }

  async #offerFile(format: FileFormat, area: BBox | null, signal: AbortSignal): Promise<void> {
    const { layer, item, rendering } = this.#store.state;
    const style = shownStyle(this.#store.state);
    if (!layer || !item) return;
    if (!('item' in layer)) {
      const box = area ?? item.bbox;
      this.#size.textContent = t(format === 'tif' ? 'mosaic-tif' : 'all-dates');
      return this.#file.offer({ address: format === 'tif' ? mosaicAddress(layer, style, box) : seriesAddress(layer, rendering, box) });
    }
    const scene: Scene = { collection: layer.collection, item: layer.item };
    const order: Order = { format, area, content: this.#content.value as Content, bands: this.#bands.value, style, rendering };
    const found = await estimate(scene, order, signal);
    this.#size.textContent = sizeText(found);
    this.#file.offer(found.job ? { scene, order } : { address: directAddress(scene, order, item.bbox) });
  }
}

export const create = (context: Context): ToolPanel => new DownloadTool(context);
