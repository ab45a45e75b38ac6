/** The curve of a pixel or of fields over all dates of a collection, in one or more indicators. */
import type { Geometry } from 'geojson';

import { ApiError, fetchItem } from '../../api';
import { h } from '../../dom';
import { formatPosition } from '../../format';
import type { MapView } from '../../map/map';
import { addSheet } from '../../sheets';
import type { State } from '../../store';
import { saveBlob } from '../common';
import type { Context, ToolPanel } from '../registry';
import { bringIntoSight } from '../sight';
import uplotCss from 'uplot/dist/uPlot.min.css';
import css from './chart.css';
import { csvOf } from './curve';
import { FieldError, type Field } from './fields';
import { Figure } from './figure';
import { ACCEPTED, readFields } from './files';
import { firstIndicator, indicatorsOf } from './indicators';
import { Months } from './months';
import { formatPlace, parsePlace } from './place';
import { boxOf, fetchCurves, ofYear, type Curve, type Observation } from './series';
import { t } from './words';

addSheet(uplotCss);
addSheet(css);

/** The link's parameter of this tool. */
const EXTRA = 'chart';

class Chart implements ToolPanel {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #status = h('p', { class: 'hint chart-status', role: 'status' });
  readonly #chips = h('div', { class: 'chips' });
  readonly #years = h('input', { type: 'checkbox', change: () => this.#show() });
  readonly #from = h('input', { type: 'date', 'aria-label': t('from'), change: () => void this.#load() });
  readonly #to = h('input', { type: 'date', 'aria-label': t('to'), change: () => void this.#load() });
  readonly #file = h('input', { type: 'file', accept: ACCEPTED, hidden: true, change: () => void this.#upload() });
  readonly #csv = h('button', { type: 'button', click: () => this.#download() }, t('csv'));
  readonly #results = h('div', { class: 'chart-results', hidden: true });
  readonly #figure: Figure;
  readonly #months: Months;
  #fields: Field[] = [];
  #styles: string[] = [];
  #curves: Curve[] = [];
  /** Whose curve is shown alone. */
  #year: number | null = null;
  #work = new AbortController();
  #drawing = new AbortController();
  #release: (() => void) | null = null;
  #opened = false;
  /** Takes back what the map moved for the card. */
  #moveBack = (): void => undefined;

  constructor(context: Context) {
    this.#context = context;
    this.#figure = new Figure(
      { style: (id) => this.#named(id), field: ({ field }) => field.name || t('field') },
      (item) => void this.#showItem(item),
    );
    const button = (words: string, click: () => void): HTMLElement => h('button', { type: 'button', click }, words);
    const months = { date: (date: Observation) => void this.#showItem(date.item), year: (year: number | null) => this.#alone(year) };
    this.#months = new Months(months, [
      button(t('share-picture'), () => context.openTool('share')),
      button(t('download-picture'), () => context.openTool('download')),
    ]);
    const years = h('label', { class: 'switch' }, this.#years, t('years'));
    this.#results.append(
      this.#figure.element,
      this.#months.element,
      this.#figure.details,
      h('fieldset', { class: 'chart-indicators' }, h('legend', {}, t('indicators')), this.#chips),
      h('div', { class: 'chart-dates' }, this.#from, h('span', { 'aria-hidden': 'true' }, '–'), this.#to),
      h('div', { class: 'chart-foot' }, years, this.#csv),
    );
    this.element = h('div', { class: 'chart' }, this.#ways(), this.#status, this.#results);
    context.store.watch(['info', 'layer'], (state) => this.#offer(state));
    context.store.watch(['item'], ({ item }) => this.#figure.mark(item?.id ?? null));
  }

  open(): void {
    this.#opened = true;
    void this.#context.map.then((map) => {
      if (!map || !this.#opened) return;
      this.#release = map.takeClicks((lon, lat) => this.#pixel(lon, lat));
      this.#mark(map);
    });
    if (this.#fields.length === 0) {
      this.#status.textContent = t('hint');
      this.#follow();
    }
  }

  close(next: string | null): void {
    this.#opened = false;
    this.#drawing.abort();
    this.#release?.();
    this.#release = null;
    // what is sent is the field with its picture
    if (next !== 'share') this.#context.store.setExtra(EXTRA, null);
    this.#moveBack();
    void this.#context.map.then((map) => {
      map?.showShape(null);
      map?.setSample(null);
    });
  }

  #ways(): HTMLElement {
    const button = (words: string, click: () => void): HTMLElement => h('button', { type: 'button', click }, words);
    return h(
      'div',
      { class: 'chart-ways' },
      button(t('rectangle'), () => void this.#draw('rectangle')),
      button(t('outline'), () => void this.#draw('polygon')),
      h('button', { type: 'button', title: t('upload-hint'), click: () => this.#file.click() }, t('upload')),
      button(t('middle'), () => void this.#context.map.then((map) => map && this.#pixel(map.centre().lon, map.centre().lat))),
      this.#file,
    );
  }

  #named(id: string): { title: string; unit: string } {
    const style = this.#context.store.state.info?.styles.find((each) => each.id === id);
    return { title: style?.title ?? id, unit: style?.legend?.unit ?? '' };
  }

  /** The indicators of what is shown; a choice that is no longer offered goes. */
  #offer({ info, style }: State): void {
    const offered = indicatorsOf(info?.styles ?? []);
    const kept = this.#styles.filter((id) => offered.some((each) => each.id === id));
    const first = firstIndicator(offered, style);
    this.#styles = kept.length > 0 ? kept : first ? [first] : [];
    const choose = (): void => {
      this.#styles = [...this.#chips.querySelectorAll('input')].filter(({ checked }) => checked).map(({ value }) => value);
      void this.#load();
    };
    this.#chips.replaceChildren(
      ...offered.map(({ id, title, description }) => {
        const box = h('input', { type: 'checkbox', value: id, checked: this.#styles.includes(id), change: choose });
        return h('label', { class: 'chip', title: description }, box, h('span', {}, title));
      }),
    );
  }

  #pixel(lon: number, lat: number): void {
    const name = t('pixel', { place: formatPosition(lon, lat) });
    this.#take([{ name, geometry: { type: 'Point', coordinates: [lon, lat] } }]);
  }

  async #draw(shape: 'rectangle' | 'polygon'): Promise<void> {
    const map = await this.#context.map;
    if (!map) return;
    this.#drawing.abort();
    this.#drawing = new AbortController();
    this.#status.textContent = t('draw-hint');
    const drawn = await map.draw(shape, { signal: this.#drawing.signal });
    if (drawn?.type === 'Polygon') this.#take([{ name: '', geometry: drawn }]);
    else if (this.#opened && this.#fields.length === 0) this.#status.textContent = t('hint');
  }

  async #upload(): Promise<void> {
    const [file] = this.#file.files ?? [];
    this.#file.value = '';
    if (!file) return;
    try {
      this.#take(await readFields(file), true);
    } catch (error) {
      this.#status.textContent = error instanceof FieldError ? t(error.reason, error.values) : String(error);
    }
  }

  /** `closer`: the map may come nearer to see them. */
  #take(fields: Field[], closer = false): void {
    this.#fields = fields;
    this.#year = null;
    void this.#context.map.then((map) => map && this.#mark(map, closer));
    void this.#load();
  }

  /** The fields on the map. */
  #mark(map: MapView, closer = false): void {
    const [only] = this.#fields;
    const point = this.#fields.length === 1 && only?.geometry.type === 'Point' ? only.geometry : null;
    const areas: Geometry = { type: 'GeometryCollection', geometries: this.#fields.map(({ geometry }) => geometry) };
    map.setSample(point ? [point.coordinates[0] ?? 0, point.coordinates[1] ?? 0] : null);
    map.showShape(point || this.#fields.length === 0 ? null : areas);
    const box = boxOf(this.#fields);
    if (box) this.#moveBack = bringIntoSight(map, box, this.element, closer);
  }

  /** Requests the curves, and shows them; a later call makes an earlier one stop. */
  async #load(): Promise<void> {
    if (this.#fields.length === 0) return;
    this.#work.abort();
    this.#work = new AbortController();
    const { signal } = this.#work;
    const { layer } = this.#context.store.state;
    if (!layer) return void (this.#status.textContent = t('no-scene'));
    this.#results.hidden = false;
    if (this.#styles.length === 0) return void (this.#status.textContent = t(this.#chips.childElementCount ? 'one-indicator' : 'no-indicator'));
    this.#status.textContent = t('reading');
    const told = (done: number, all: number): void => {
      if (all > 1) this.#status.textContent = t('reading-part', { done, all });
    };
    const offered = this.#context.store.state.info?.styles ?? [];
    const styles = this.#styles.flatMap((id) => offered.find((style) => style.id === id) ?? []);
    const wanted = { collection: layer.collection, styles, fields: this.#fields, from: this.#from.value || null, to: this.#to.value || null };
    try {
      this.#curves = await fetchCurves(wanted, signal, told);
      const empty = this.#curves.every(({ observations }) => observations.length === 0);
      this.#status.textContent = empty ? t('no-values') : this.#title();
    } catch (error) {
      if (signal.aborted) return;
      this.#curves = [];
      this.#status.textContent = error instanceof ApiError ? error.message : String(error);
    }
    this.#context.store.setExtra(EXTRA, formatPlace(this.#styles, this.#fields));
    this.#show();
  }

  #title(): string {
    const [only] = this.#fields;
    return this.#fields.length === 1 && only?.name ? only.name : '';
  }

  #alone(year: number | null): void {
    this.#year = year;
    this.#show();
  }

  /** Shows the curves, of one year alone if one is chosen. */
  #show(): void {
    const year = this.#year;
    this.#years.disabled = this.#curves.length !== 1;
    this.#csv.disabled = this.#curves.length === 0;
    const shown = year === null ? this.#curves : this.#curves.map((curve) => ofYear(curve, year));
    this.#figure.show(shown, this.#years.checked && year === null, this.#context.store.state.item?.id ?? null);
    const [first] = this.#curves;
    const several = this.#curves.length > 1 && first;
    const label = several ? [first.field.name, this.#named(first.style).title].filter(Boolean).join(' · ') : '';
    this.#months.show(label, first?.observations ?? [], first ? this.#named(first.style).unit : '', year);
  }

  /** Takes up what the link says, once it is known what the map shows. */
  #follow(): void {
    const place = parsePlace(this.#context.store.state.extras.get(EXTRA) ?? '');
    if (!place) return;
    let waiting = true;
    this.#context.store.watch(['info'], ({ info }) => {
      if (!waiting || !info) return;
      waiting = false;
      const offered = indicatorsOf(info.styles).map(({ id }) => id);
      this.#styles = place.styles.filter((id) => offered.includes(id));
      this.#offer(this.#context.store.state);
      this.#take(place.fields.map((geometry) => ({ geometry, name: '' })));
    });
  }

  async #showItem(id: string): Promise<void> {
    const { store, viewer } = this.#context;
    const { layer, series, items } = store.state;
    if (!layer) return;
    const { collection } = layer;
    try {
      const known = [...series, ...items].find((each) => each.id === id && each.collection === collection);
      await viewer.show(known ?? (await fetchItem(collection, id)), { move: 'stay' });
    } catch (error) {
      this.#status.textContent = error instanceof ApiError ? error.message : String(error);
    }
  }

  #download(): void {
    const { layer } = this.#context.store.state;
    saveBlob(new Blob([csvOf(this.#curves)], { type: 'text/csv' }), `${layer?.collection ?? 'series'}_${this.#styles.join('_')}.csv`);
  }
}

export const create = (context: Context): ToolPanel => new Chart(context);
