/** Values of all bands where the user clicked, as a table and as a small spectrum. */
import type { BandValue, PointValues } from '../api';
import { h, icon, svg } from '../dom';
import { formatError, formatPhysical, formatPosition } from '../format';

const WIDTH = 280;
const HEIGHT = 72;
const PAD = 6;

type Known = BandValue & { wavelength: number; physical: number };

/** Reflectance over wavelength; nothing when fewer than three bands have both. */
function spectrum(bands: readonly BandValue[]): SVGElement | null {
  const known = bands
    .filter((band): band is Known => band.wavelength !== null && band.physical !== null && band.unit === 'reflectance')
    .sort((a, b) => a.wavelength - b.wavelength);
  const [first, last] = [known[0], known[known.length - 1]];
  if (!first || !last || known.length < 3 || last.wavelength <= first.wavelength) return null;
  const top = Math.max(0.1, ...known.map((band) => band.physical));
  const x = ({ wavelength }: Known): number =>
    PAD + ((wavelength - first.wavelength) / (last.wavelength - first.wavelength)) * (WIDTH - 2 * PAD);
  const y = ({ physical }: Known): number => HEIGHT - PAD - (Math.max(0, physical) / top) * (HEIGHT - 2 * PAD);
  const points = known.map((band) => `${x(band).toFixed(1)},${y(band).toFixed(1)}`).join(' ');
  return svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'spectrum', role: 'img', 'aria-label': 'Reflectance by wavelength' },
    svg('line', { x1: PAD, x2: WIDTH - PAD, y1: HEIGHT - PAD, y2: HEIGHT - PAD, class: 'axis' }),
    svg('polyline', { points }),
    ...known.map((band) => svg('circle', { cx: x(band).toFixed(1), cy: y(band).toFixed(1), r: 2.5 })),
  );
}

function plusMinus(error: number | null, format: (error: number) => string): HTMLElement | null {
  return error === null ? null : h('span', { class: 'error' }, ` ± ${format(error)}`);
}

function row(band: BandValue): HTMLTableRowElement {
  const value = band.value === null ? '–' : band.value.toLocaleString(undefined, { maximumFractionDigits: 2 });
  const physical = band.physical === null ? '–' : formatPhysical(band.physical, band.unit);
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, band.name),
    h('td', { class: 'band-title' }, band.title),
    h('td', {}, value, plusMinus(band.error, (error) => formatError(error))),
    h('td', {}, physical, plusMinus(band.physicalError, (error) => formatPhysical(error, band.unit))),
  );
}

/** Radar, whose numbers are decibels already, with the errors of a pixel and of a field told apart. */
function radarTable(bands: readonly BandValue[]): HTMLTableElement {
  const head = ['Band', 'Name', 'dB, a pixel', '8×8 mean'].map((name) => h('th', { scope: 'col' }, name));
  const rows = bands.map((band) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, band.name),
      h('td', { class: 'band-title' }, band.title),
      h('td', {}, band.physical === null ? '–' : formatPhysical(band.physical, band.unit),
        plusMinus(band.physicalError, (error) => formatPhysical(error, band.unit))),
      h('td', {}, plusMinus(band.fieldError, (error) => formatPhysical(error, band.unit)) ?? '–'),
    ),
  );
  return h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows));
}

const isRadar = (bands: readonly BandValue[]): boolean => bands.length > 0 && bands.every(({ unit }) => unit === 'dB');

function table(bands: readonly BandValue[]): HTMLTableElement {
  if (isRadar(bands)) return radarTable(bands);
  const units = new Set(bands.map((band) => band.unit));
  const unit = units.size === 1 ? [...units][0] : '';
  const named = unit === 'reflectance' ? 'Reflectance' : unit || 'Physical value';
  const head = ['Band', 'Name', 'Value', named].map((name) => h('th', { scope: 'col' }, name));
  return h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...bands.map(row)));
}

function explanation(bands: readonly BandValue[]): HTMLElement | null {
  if (bands.every((band) => band.error === null)) return null;
  const speckle = isRadar(bands) ? ' A single pixel of radar is uncertain by about 2 dB anyway, because of speckle.' : '';
  return h('p', { class: 'hint' }, `± is the error that compression is expected to have made around here.${speckle}`);
}

export class PixelPanel {
  readonly #root: HTMLElement;
  readonly #onClose: () => void;

  constructor(root: HTMLElement, onClose: () => void) {
    this.#root = root;
    this.#onClose = onClose;
  }

  get open(): boolean {
    return !this.#root.hidden;
  }

  waiting(lon: number, lat: number): void {
    this.#show(lon, lat, h('p', { class: 'hint' }, 'Reading…'));
  }

  values(lon: number, lat: number, { bands, source }: PointValues): void {
    const empty = bands.every((band) => band.value === null);
    const body = empty
      ? [h('p', { class: 'hint' }, 'No data here.')]
      : [spectrum(bands), table(bands), explanation(bands), source ? h('p', { class: 'hint' }, `From ${source}`) : null];
    this.#show(lon, lat, ...body);
  }

  problem(lon: number, lat: number, sentence: string): void {
    this.#show(lon, lat, h('p', { class: 'hint' }, sentence));
  }

  close(): void {
    if (!this.open) return;
    this.#root.hidden = true;
    this.#onClose();
  }

  #show(lon: number, lat: number, ...body: (Element | null)[]): void {
    const close = h(
      'button',
      { type: 'button', class: 'round', 'aria-label': 'Close pixel values', click: () => this.close() },
      icon('M5 5l10 10M15 5L5 15'),
    );
    const head = h('div', { class: 'title-row' }, h('h2', { id: 'pixel-title' }, 'Pixel values'), close);
    const place = h('p', { class: 'sub' }, formatPosition(lon, lat));
    const content = h('div', { 'aria-live': 'polite' }, ...body);
    this.#root.replaceChildren(head, place, content);
    this.#root.hidden = false;
  }
}
