/** Values where the user clicked: that of the style first, then all bands as a spectrum and as a table. */
import type { BandValue, Item, PointValues, Style, StyleValue } from '../api';
import { h, icon } from '../dom';
import { formatError, formatPhysical, formatPosition, formatValue } from '../format';
import { addSheet } from '../sheets';
import { words } from '../words/words';
import css from './pixel.css';
import { spectrum } from './spectrum';
import { sceneTitle } from './title';

addSheet(css);

const t = words<keyof typeof import('../words/pixel/en.json')>('pixel');

function plusMinus(error: number | null, format: (error: number) => string): HTMLElement | null {
  return error === null ? null : h('span', { class: 'error' }, ` ± ${format(error)}`);
}

const isRadar = (bands: readonly BandValue[]): boolean => bands.length > 0 && bands.every(({ unit }) => unit === 'dB');

function row(band: BandValue, radar: boolean): HTMLTableRowElement {
  const { physical, physicalError, fieldError, unit } = band;
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, band.name),
    h('td', { class: 'band-title' }, band.title),
    h('td', {}, physical === null ? '–' : formatPhysical(physical, unit), plusMinus(physicalError, formatError)),
    radar && h('td', {}, plusMinus(fieldError, formatError) ?? '–'),
  );
}

/** Of radar the errors of a pixel and of a field are told apart: a single pixel of it is mostly speckle. */
function table(bands: readonly BandValue[]): HTMLTableElement {
  const radar = isRadar(bands);
  const units = new Set(bands.map((band) => band.unit));
  const unit = units.size === 1 ? [...units][0] : '';
  const value = radar ? t('pixel-db') : unit === 'reflectance' ? t('reflectance') : unit || t('value');
  const head = [t('band'), t('name'), value, ...(radar ? [t('pixel-field')] : [])].map((name) => h('th', { scope: 'col' }, name));
  return h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...bands.map((band) => row(band, radar))));
}

function explanation(bands: readonly BandValue[]): HTMLElement | null {
  if (bands.every((band) => band.physicalError === null)) return null;
  return h('p', { class: 'hint' }, [t('pixel-errors'), isRadar(bands) && t('pixel-speckle')].filter(Boolean).join(' '));
}

/** What the picture shows here, large: the value of its style, or of each of its colours. */
function headlines(style: Style | null, shown: readonly StyleValue[]): HTMLElement[] {
  const name = (expression: string): string => (shown.length === 1 && style ? style.title : expression);
  return shown.map(({ expression, value, error }) =>
    h('p', { class: 'headline' }, h('span', {}, name(expression)), ' ', h('b', {}, value === null ? '–' : formatValue(value)), value === null ? null : plusMinus(error, formatError)),
  );
}

export class Readings {
  readonly #root: HTMLElement;
  readonly #close: () => void;
  readonly #phone = matchMedia('(max-width: 47.99em)');

  constructor(root: HTMLElement, close: () => void) {
    this.#root = root;
    this.#close = close;
  }

  waiting(lon: number, lat: number): void {
    this.#show(lon, lat, null, h('p', { class: 'hint' }, t('reading')));
  }

  /**
   * Shows values of a scene, or of a mosaic (`item` is null), which says where each pixel came from; of a `composite` of
   * many scenes the server gives none, and these are of the newest.
   */
  values(lon: number, lat: number, { bands, shown, source }: PointValues, style: Style | null, item: Item | null, composite = false): void {
    const from = item ? sceneTitle(item) : source ? t('from', { source }) : null;
    if (bands.every((band) => band.value === null)) return this.#show(lon, lat, from, h('p', { class: 'hint' }, t('no-data')));
    const open = !this.#phone.matches;
    const rest = h('details', { open }, h('summary', {}, t('all-bands')), spectrum(bands, t('spectrum')), table(bands), explanation(bands));
    const other = composite ? h('p', { class: 'hint' }, t('not-composite')) : null;
    this.#show(lon, lat, from, other, ...headlines(style, shown), rest);
  }

  problem(lon: number, lat: number, sentence: string): void {
    this.#show(lon, lat, null, h('p', { class: 'hint' }, sentence));
  }

  #show(lon: number, lat: number, from: string | null, ...body: (Element | null)[]): void {
    const close = h(
      'button',
      { type: 'button', class: 'round', 'aria-label': t('close-pixel'), click: this.#close },
      icon('M5 5l10 10M15 5L5 15'),
    );
    const head = h('div', { class: 'title-row' }, h('h2', { id: 'pixel-title' }, t('pixel-values')), close);
    const place = h('p', { class: 'sub' }, [from, formatPosition(lon, lat)].filter(Boolean).join(' · '));
    const content = h('div', { class: 'pixel-body', 'aria-live': 'polite' }, ...body);
    this.#root.replaceChildren(head, place, content);
    this.#root.hidden = false;
  }
}
