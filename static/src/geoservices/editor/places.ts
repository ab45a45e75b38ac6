/** Where: sites that are drawn, brought as a file, pasted, or that one has already. */
import type { GeoJSON, Geometry, MultiPolygon, Polygon } from 'geojson';

import { number, objects, text, isObject } from '../../api';
import { h } from '../../dom';
import { bboxOf, unionOf, type BBox } from '../../geo';
import { fieldsOf, FieldError, type Field, type Shape } from '../../tools/chart/fields';
import { words as chartWords, loadWords } from '../../words/words';
import { read } from '../api';
import { textIn } from '../model';
import { labelled, removeButton, textField } from './fields';
import { SiteMap } from './site-map';
import { t } from './words';

const tChart = chartWords<keyof typeof import('../../words/chart/en.json')>('chart');
const DIGITS = 7; // about a centimetre

export interface Own {
  id: number;
  name: string;
  area: number | null;
}

/** What is followed: new sites, or ids of sites that one has. */
export type Chosen = { sites: readonly Field[] } | { own: readonly number[] };

const rounded = (geometry: Shape): Shape =>
  JSON.parse(JSON.stringify(geometry, (_, value: unknown) => (typeof value === 'number' ? Number(value.toFixed(DIGITS)) : value))) as Shape;

const boxOf = (geometry: Geometry): BBox | null => {
  if (geometry.type === 'Point') {
    const [x = 0, y = 0] = geometry.coordinates;
    return [x - 0.005, y - 0.005, x + 0.005, y + 0.005];
  }
  return bboxOf(geometry as Polygon | MultiPolygon);
};

async function fetchOwn(signal: AbortSignal): Promise<Own[]> {
  const { body } = await read('sites', { limit: 1000 }, signal);
  return objects(body['features']).flatMap((each) => {
    const id = number(each['id']);
    const properties = isObject(each['properties']) ? each['properties'] : {};
    return id === null ? [] : [{ id, name: textIn(properties['name'], String(id)), area: number(properties['area_m2']) }];
  });
}

export class Places {
  readonly element: HTMLElement;
  readonly #list = h('ul', { class: 'sites', 'data-field': 'sites', tabindex: -1 });
  readonly #status = h('p', { class: 'hint', role: 'status' });
  readonly #fault = h('p', { class: 'fault', role: 'alert' });
  readonly #canvas = h('div', { class: 'site-map', role: 'application', 'aria-label': t('map') });
  readonly #own = h('div', { class: 'own-sites', 'data-field': 'site' });
  readonly #buttons = new Map<'polygon' | 'rectangle', HTMLButtonElement>();
  readonly #changed: () => void;
  readonly #signal: AbortSignal;
  #map: SiteMap | null = null;
  #sites: Field[] = [];
  #drawing: AbortController | null = null;

  constructor(changed: () => void, signal: AbortSignal, private readonly complain: (error: unknown) => void) {
    this.#changed = changed;
    this.#signal = signal;
    const draw = (shape: 'polygon' | 'rectangle'): HTMLButtonElement => {
      const made = h('button', { type: 'button', class: 'button', 'aria-pressed': 'false', click: () => void this.#draw(shape) }, t(shape));
      this.#buttons.set(shape, made);
      return made;
    };
    const zoom = (label: string, sign: string, by: number): HTMLElement => h('button', { type: 'button', class: 'round', 'aria-label': label, title: label, click: () => void this.#map?.zoomBy(by) }, sign);
    const stage = h('div', { class: 'site-stage' }, this.#canvas, h('div', { class: 'zoom' }, zoom(t('zoom-in'), '+', 1), zoom(t('zoom-out'), '−', -1)));
    const file = h('input', { type: 'file', class: 'visually-hidden', id: 'site-file', accept: '.geojson,.json,.kml,.kmz,.gpx,.zip', change: () => void this.#take(file) });
    const upload = h('label', { class: 'button', for: 'site-file' }, t('upload'));
    const pasted = h('textarea', { rows: 4, dir: 'ltr', spellcheck: 'false', class: 'code' });
    const paste = h('details', {}, h('summary', {}, t('paste')), labelled(t('geojson'), pasted), h('div', { class: 'actions' }, h('button', { type: 'button', class: 'button', click: () => this.#paste(pasted) }, t('use'))));
    this.element = h('div', { class: 'form' }, stage, h('div', { class: 'actions' }, draw('polygon'), draw('rectangle'), file, upload), this.#status, this.#fault, this.#list, paste, this.#own);
    void loadWords('chart');
    void this.#offerOwn();
  }

  get chosen(): Chosen {
    const own = [...this.#own.querySelectorAll<HTMLInputElement>('input:checked')].map(({ value }) => Number(value));
    return own.length > 0 && this.#sites.length === 0 ? { own } : { sites: this.#sites };
  }

  get sites(): readonly Field[] {
    return this.#sites;
  }

  set sites(sites: readonly Field[]) {
    this.#sites = [...sites];
    this.#showList();
  }

  /** Puts the map in: later than the rest of the form, which does not wait for it. */
  open(collection: string): void {
    this.#map = new SiteMap(this.#canvas, null, this.complain);
    const boxes = this.#sites.map(({ geometry }) => boxOf(geometry)).filter((each) => each !== null);
    void this.#map.show(collection, boxes.length === 0, this.#signal).then(() => this.#outline(boxes.length > 0));
    this.#signal.addEventListener('abort', () => {
      this.#drawing?.abort();
      void this.#map?.close().catch(() => undefined);
    });
  }

  show(collection: string): void {
    void this.#map?.show(collection, this.#sites.length === 0, this.#signal);
  }

  async #offerOwn(): Promise<void> {
    const own = await fetchOwn(this.#signal).catch(() => []);
    if (own.length === 0) return;
    const options = own.map(({ id, name, area }) =>
      h('label', { class: 'check' }, h('input', { type: 'checkbox', value: id, change: () => this.#changed() }), h('span', {}, h('bdi', {}, name), area ? ` · ${hectares(area)}` : ` · ${t('group')}`)));
    this.#own.append(h('details', {}, h('summary', {}, t('own-sites')), h('p', { class: 'hint' }, t('own-hint')), ...options));
  }

  async #draw(shape: 'polygon' | 'rectangle'): Promise<void> {
    if (this.#drawing) return this.#drawing.abort();
    if (!this.#map) return;
    this.#drawing = new AbortController();
    const button = this.#buttons.get(shape);
    button?.setAttribute('aria-pressed', 'true');
    this.#status.textContent = t(`${shape}-hint`);
    const drawn = await this.#map.draw(shape, this.#drawing.signal);
    this.#drawing = null;
    button?.setAttribute('aria-pressed', 'false');
    this.#status.textContent = '';
    if (drawn?.type === 'Polygon') this.#add([{ name: '', geometry: rounded(drawn) }], false);
  }

  async #take(input: HTMLInputElement): Promise<void> {
    const [file] = input.files ?? [];
    input.value = '';
    if (!file) return;
    const { readFields } = await import('../../tools/chart/files');
    await this.#bring(() => readFields(file));
  }

  #paste(area: HTMLTextAreaElement): void {
    void this.#bring(async () => {
      let document: unknown;
      try {
        document = JSON.parse(area.value);
      } catch {
        throw new FieldError('file-damaged');
      }
      if (!isObject(document) || text(document['type']) === null) throw new FieldError('no-fields');
      const found = fieldsOf(document as unknown as GeoJSON);
      area.value = '';
      return found;
    });
  }

  async #bring(bring: () => Promise<Field[]>): Promise<void> {
    this.#fault.textContent = '';
    try {
      this.#add(await bring(), true);
    } catch (error) {
      if (!(error instanceof FieldError)) return this.complain(error);
      this.#fault.textContent = tChart(error.reason as never, error.values);
    }
  }

  #add(made: readonly Field[], go: boolean): void {
    const named = made.map(({ name, geometry }, index) => ({ geometry, name: name || t('site-number', { number: this.#sites.length + index + 1 }) }));
    this.#sites = [...this.#sites, ...named];
    for (const box of this.#own.querySelectorAll<HTMLInputElement>('input:checked')) box.checked = false;
    this.#showList();
    this.#outline(go);
    this.#changed();
  }

  #outline(go: boolean): void {
    const boxes = this.#sites.map(({ geometry }) => boxOf(geometry)).filter((each) => each !== null);
    const shape: Geometry | null = this.#sites.length === 0 ? null : { type: 'GeometryCollection', geometries: this.#sites.map(({ geometry }) => geometry) };
    void this.#map?.outline(shape, go ? unionOf(boxes) : null).catch(() => undefined);
  }

  #showList(): void {
    this.#list.replaceChildren(...this.#sites.map((site, index) => {
      const name = textField(`sites.${index}`, { value: site.name, maxlength: 60, 'aria-label': t('site-name'), dir: 'auto' });
      name.addEventListener('input', () => {
        site.name = name.value;
        this.#changed();
      });
      return h('li', {}, name, removeButton(t('remove-site', { name: site.name }), () => {
        this.#sites = this.#sites.filter((each) => each !== site);
        this.#showList();
        this.#outline(false);
        this.#changed();
      }));
    }));
  }
}

export const hectares = (squareMetres: number): string => t('hectares', { value: Number((squareMetres / 1e4).toPrecision(3)) });
