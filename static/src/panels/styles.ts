/** Styles to choose from, as pictures of what the map shows; single bands and other rare ones are folded away. */
import { layerPath, url, type Item, type Style } from '../api';
import { h } from '../dom';
import { formatBytes } from '../format';
import { intersection, roundedBox, type BBox } from '../geo';
import type { MapView } from '../map/map';
import type { State, Store } from '../store';
import { clickBytes } from '../price';
import { saver } from '../saver';
import { pictureQuery, stretchOf } from '../stretch';
import { t } from '../words/shell';

const WIDTH = 96;
const HEIGHT = 64;
/** So long the map rests before its thumbnails are asked for. */
const REST = 600;
/** More than these, and the rest is folded. */
const IN_SIGHT = 6;

/** Single bands that the server puts before everything else, as it does for radar: what one looks at first. */
function leading(styles: readonly Style[]): number {
  const first = styles.findIndex(({ band }) => band === null);
  return first < 0 ? styles.length : first;
}

/** Styles in sight, and those that are folded: single bands, maps of errors, and what is left over. */
export function foldStyles(styles: readonly Style[]): { shown: Style[]; folded: Style[] } {
  const lead = leading(styles);
  const common = styles.filter(({ band, id }, place) => place < lead || (band === null && id !== 'error'));
  const shown = common.slice(0, IN_SIGHT);
  return { shown, folded: styles.filter((style) => !shown.includes(style)) };
}

/** The part of a scene that a view shows, in the proportions of a thumbnail; null where it shows none of it. */
export function thumbnailBox(view: BBox, scene: BBox): BBox | null {
  const shared = intersection(view, scene);
  if (!shared) return null;
  const [west, south, east, north] = shared;
  const lon = (west + east) / 2;
  const lat = (south + north) / 2;
  const shrink = Math.cos((lat * Math.PI) / 180);
  const height = Math.min(north - south, ((east - west) * shrink * HEIGHT) / WIDTH);
  const width = (height * WIDTH) / HEIGHT / shrink;
  return roundedBox([lon - width / 2, lat - height / 2, lon + width / 2, lat + height / 2]);
}

/** Address of a picture of a part of a scene, by the server's parameters; without any in the style that comes first. */
export function thumbnailAddress(item: Item, query: Readonly<Record<string, string>>, box: BBox): string {
  const target = url(`${layerPath({ collection: item.collection, item: item.id })}/bbox/${box.join(',')}.webp`);
  for (const [name, value] of Object.entries({ ...query, width: WIDTH, height: HEIGHT })) target.searchParams.set(name, String(value));
  return target.href;
}

class StylePicker {
  readonly element: HTMLFieldSetElement;
  readonly #grid = h('div', { class: 'style-grid' });
  readonly #rare = h('div', { class: 'chips' });
  readonly #more: HTMLDetailsElement;
  readonly #hint = h('p', { class: 'hint' });
  readonly #price = h('p', { class: 'hint price' });
  readonly #choose: (id: string) => void;
  #styles: readonly Style[] = [];

  constructor(choose: (id: string) => void) {
    this.#choose = choose;
    this.#more = h('details', { class: 'more-styles' }, h('summary', {}, t('more-styles')), this.#rare);
    this.element = h('fieldset', { class: 'styles' }, h('legend', {}, t('style')), this.#grid, this.#more, this.#hint, this.#price);
  }

  show(styles: readonly Style[], current: string | null): void {
    const same = styles.map((style) => style.id).join() === this.#styles.map((style) => style.id).join();
    this.#styles = styles;
    this.element.hidden = styles.length === 0;
    if (!same) this.#fill();
    for (const input of this.element.querySelectorAll('input')) input.checked = input.value === current;
    this.#hint.textContent = styles.find(({ id }) => id === current)?.description ?? '';
    if (this.#rare.querySelector('input:checked')) this.#more.open = true;
  }

  /** What a click on another style, or date, costs; null where that is not known. */
  tellPrice(bytes: number | null): void {
    this.#price.textContent = bytes === null ? '' : t('click-price', { size: formatBytes(bytes) });
  }

  /** Gives the styles in sight their pictures, one after the other: they never keep the map's tiles waiting. */
  async picture(address: (style: string) => string | null, signal: AbortSignal): Promise<void> {
    for (const image of this.#grid.querySelectorAll('img')) {
      const source = address(image.dataset['style'] ?? '');
      if (source === null) image.removeAttribute('src');
      else if (image.src !== source) image.src = source;
      if (source !== null) await image.decode().catch(() => image.removeAttribute('src')); // without a picture its name will do
      if (signal.aborted) return;
    }
  }

  #fill(): void {
    const { shown, folded } = foldStyles(this.#styles);
    const radio = ({ id }: Style): HTMLInputElement => h('input', { type: 'radio', name: 'style', value: id, change: () => this.#choose(id) });
    const thumbnail = ({ id }: Style): HTMLImageElement =>
      h('img', { alt: '', width: WIDTH, height: HEIGHT, 'data-style': id });
    this.#grid.replaceChildren(
      ...shown.map((style) => h('label', { class: 'style-card', title: style.description }, radio(style), thumbnail(style), h('span', {}, style.title))),
    );
    this.#rare.replaceChildren(...folded.map((style) => h('label', { class: 'chip', title: style.description }, radio(style), h('span', {}, style.title))));
    this.#more.hidden = folded.length === 0;
  }
}

export function stylesPanel(root: HTMLElement, store: Store, map: Promise<MapView | null>, choose: (id: string) => void): void {
  const picker = new StylePicker(choose);
  root.append(picker.element);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let drawing = new AbortController();

  const draw = async (): Promise<void> => {
    const { item, pending, info, extras } = store.state;
    const view = (await map)?.view();
    picker.tellPrice(view && item ? clickBytes(view, store.state.camera?.zoom ?? 0) : null);
    if (!item || pending || !view || saver.saving || root.offsetParent === null) return; // a folded panel asks for nothing
    const box = thumbnailBox(view, item.bbox);
    drawing = new AbortController();
    const query = (id: string): Readonly<Record<string, string>> =>
      pictureQuery(info?.styles.find((style) => style.id === id) ?? null, stretchOf(extras));
    await picker.picture((id) => (box ? thumbnailAddress(item, query(id), box) : null), drawing.signal);
  };
  const later = (): void => {
    drawing.abort();
    clearTimeout(timer);
    timer = setTimeout(() => void draw(), REST);
  };
  store.watch(['info', 'style', 'pending'], ({ info, style, pending }: Readonly<State>) => picker.show(info?.styles ?? [], pending?.style ?? style));
  store.watch(['item', 'info', 'pending', 'camera', 'folded'], later);
  saver.onChange(later);
}
