/** Addresses to copy into other programs, and areas to take away as files. */
import { ApiError, type Layer } from '../api';
import { h } from '../dom';
import { addresses, directAddress, estimate, seriesAddress, type Content, type Estimate, type FileFormat, type Order, type Scene } from '../extracts';
import { formatBytes } from '../format';
import { bboxOf, roundedBox, type BBox } from '../geo';
import type { MapView } from '../map/map';
import type { State, Store } from '../store';
import { Download } from './download';

/** Typing goes on for so long before the size is asked for. */
const PAUSE = 400;
const SIDES = ['West', 'South', 'East', 'North'] as const;
const CONTENTS: [Content, string][] = [
  ['stored', 'Numbers as stored'],
  ['physical', 'Physical values, as reflectance'],
  ['style', 'Values of the style shown'],
];
const sentence = (error: unknown): string =>
  error instanceof ApiError ? error.message : 'Something went wrong in this page; reload it.';

function copyRow(title: string, hint: string, value: string, id: string): HTMLElement {
  const field = h('input', { id: `link-${id}`, class: 'address', readonly: true, value, focus: () => field.select() });
  const said = h('span', { class: 'visually-hidden', role: 'status' });
  const button = h('button', { type: 'button', 'aria-label': `Copy the address for ${title}` }, 'Copy');
  const copy = async (): Promise<void> => {
    const copied = await navigator.clipboard?.writeText(value).then(() => true, () => false);
    if (!copied) field.focus(); // no right to the clipboard: the address is selected, to be copied by hand
    button.textContent = copied ? 'Copied' : 'Selected';
    said.textContent = copied ? `${title} copied` : `${title} selected`;
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  };
  button.addEventListener('click', () => void copy());
  return h('div', { class: 'link-row' }, h('label', { for: field.id, title: hint }, title), field, button, said);
}

function words({ width, height, bands, pictures, bytes }: Estimate): string {
  const size = `about ${formatBytes(bytes)}`;
  if (pictures !== null) return `${pictures.toLocaleString()} ${pictures === 1 ? 'picture' : 'pictures'}, ${size}`;
  const pixels = `${(width ?? 0).toLocaleString()} × ${(height ?? 0).toLocaleString()} pixels`;
  return `${pixels}, ${bands ?? 0} ${bands === 1 ? 'band' : 'bands'}, ${size}`;
}

class AreaForm {
  readonly element: HTMLFieldSetElement;
  readonly #sides: HTMLInputElement[];
  readonly #drawButton: HTMLButtonElement;
  readonly #map: Promise<MapView | null>;
  readonly #changed: () => void;
  #drawing: AbortController | null = null;

  constructor(map: Promise<MapView | null>, changed: () => void) {
    this.#map = map;
    this.#changed = changed;
    const field = (side: string): HTMLInputElement =>
      h('input', { type: 'number', step: 'any', inputmode: 'decimal', 'aria-label': `${side}, degrees`, placeholder: side, input: () => this.#typed() });
    this.#sides = SIDES.map(field);
    this.#drawButton = h('button', { type: 'button', 'aria-pressed': 'false', click: () => void this.#draw() }, 'Draw on the map');
    const view = h('button', { type: 'button', click: () => void this.#takeView() }, 'What the map shows');
    const whole = h('button', { type: 'button', click: () => this.set(null) }, 'All of it');
    this.element = h('fieldset', { class: 'area' }, h('legend', {}, 'Area'),
      h('div', { class: 'buttons' }, this.#drawButton, view, whole),
      h('div', { class: 'sides' }, ...this.#sides),
      h('p', { class: 'hint' }, 'West, south, east, north in degrees; empty is all of it.'));
  }

  /** The area; null is everything, undefined what can't be one. */
  get value(): BBox | null | undefined {
    const filled = this.#sides.filter(({ value, validity }) => value !== '' || validity.badInput);
    if (filled.length === 0) return null;
    const [west = NaN, south = NaN, east = NaN, north = NaN] = this.#sides.map(({ valueAsNumber }) => valueAsNumber);
    const sound = west < east && south < north && west >= -180 && east <= 180 && south >= -90 && north <= 90;
    return sound ? [west, south, east, north] : undefined;
  }

  set(box: BBox | null): void {
    this.#sides.forEach((side, index) => (side.value = box ? String(box[index]) : ''));
    this.#typed();
  }

  stopDrawing(): void {
    this.#drawing?.abort();
  }

  #typed(): void {
    void this.#map.then((map) => map?.showArea(this.value ?? null));
    this.#changed();
  }

  async #takeView(): Promise<void> {
    const view = (await this.#map)?.view();
    if (view) this.set(roundedBox(view));
  }

  async #draw(): Promise<void> {
    if (this.#drawing) return this.#drawing.abort();
    const map = await this.#map;
    if (!map) return;
    this.#drawing = new AbortController();
    this.#drawButton.setAttribute('aria-pressed', 'true');
    this.#drawButton.textContent = 'Drag a rectangle…';
    const drawn = await map.draw('rectangle', { signal: this.#drawing.signal });
    const box = drawn?.type === 'Polygon' ? bboxOf(drawn) : null;
    this.#drawing = null;
    this.#drawButton.setAttribute('aria-pressed', 'false');
    this.#drawButton.textContent = 'Draw on the map';
    if (box) this.set(roundedBox(box));
    else this.#typed();
  }
}

export function elsewherePanel(root: HTMLDetailsElement, store: Store, map: Promise<MapView | null>): void {
  const links = h('div', { class: 'links' });
  const size = h('p', { class: 'size', role: 'status' });
  const form = new AreaForm(map, () => ask());
  const download = new Download((text) => (size.textContent = text));
  const format = h('select', { 'aria-label': 'File', change: () => ask() }, h('option', { value: 'tif' }, 'GeoTIFF'), h('option', { value: 'kmz' }, 'KMZ for Google Earth'));
  const content = h('select', { 'aria-label': 'Numbers', change: () => ask() }, ...CONTENTS.map(([value, title]) => h('option', { value }, title)));
  const bands = h('input', { class: 'names', 'aria-label': 'Bands', placeholder: 'All bands, or B04,B03,B02', spellcheck: 'false', input: () => ask() });
  const what = h('div', { class: 'what' }, format, content, bands);
  root.append(h('summary', {}, 'Use elsewhere'), links, h('h3', {}, 'Download'), form.element, what, size, download.element);

  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = new AbortController();

  const order = (area: BBox | null): Order => ({
    format: format.value as FileFormat,
    area,
    content: content.value as Content,
    bands: bands.value,
    style: store.state.style,
  });

  const measure = async (scene: Scene, area: BBox | null, whole: BBox): Promise<void> => {
    asking = new AbortController();
    const { signal } = asking;
    const wanted = order(area);
    try {
      const found = await estimate(scene, wanted, signal);
      size.textContent = words(found);
      download.offer(found.job ? { scene, order: wanted } : { address: directAddress(scene, wanted, whole) });
    } catch (error) {
      if (!signal.aborted) size.textContent = sentence(error);
    }
  };

  /** Finds out how large the file would be, when the panel is open and something has changed. */
  const ask = (): void => {
    const { layer, item, style } = store.state;
    const mosaic = layer !== null && !('item' in layer);
    format.disabled = mosaic;
    if (mosaic) format.value = 'kmz';
    content.hidden = format.value === 'kmz';
    bands.hidden = format.value === 'kmz' || content.value === 'style';
    clearTimeout(timer);
    asking.abort();
    download.withdraw();
    size.textContent = '';
    if (!root.open || !layer || !item) return;
    const area = form.value;
    if (area === undefined) {
      size.textContent = 'An area is west, south, east, north in degrees: west of east, south of north.';
    } else if (mosaic) {
      size.textContent = 'All dates as pictures, for the time slider.';
      download.offer({ address: seriesAddress(layer, style, area ?? item.bbox) });
    } else {
      timer = setTimeout(() => void measure({ collection: layer.collection, item: (layer as Scene).item }, area, item.bbox), PAUSE);
    }
  };

  const showLinks = (layer: Layer | null, style: string | null): void =>
    links.replaceChildren(...(layer ? addresses(layer, style).map(({ id, title, hint, value }) => copyRow(title, hint, value, id)) : []));

  root.addEventListener('toggle', () => {
    if (!root.open) form.stopDrawing();
    void map.then((view) => view?.showArea(root.open ? (form.value ?? null) : null));
    ask();
  });
  store.watch(['layer', 'style', 'item'], ({ layer, style }: Readonly<State>) => {
    root.hidden = layer === null;
    showLinks(layer, style);
    ask();
  });
}
