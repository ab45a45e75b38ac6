/** Lengths, areas and coordinates, read off the map. */
import type { LineString, Polygon, Position } from 'geojson';

import { h } from '../../dom';
import { formatPosition } from '../../format';
import type { MapView } from '../../map/map';
import { addSheet } from '../../sheets';
import { words } from '../../words/words';
import { copyText } from '../common';
import type { Context, ToolPanel } from '../registry';
import { areaOf, inArea, inMetres, lengthOf, type Quantity } from './geodesic';
import css from './measure.css';

type Key = keyof typeof import('../../words/measure/en.json');
const t = words<Key>('measure');
type What = 'length' | 'area';
const say = ({ value, unit }: Quantity): string => t(unit, { value });

addSheet(css);

/** What the points enclose, or how far it is along them; null for too few. */
export function shapeOf(what: What, points: readonly Position[]): LineString | Polygon | null {
  if (what === 'length') return points.length > 1 ? { type: 'LineString', coordinates: [...points] } : null;
  return points.length > 2 ? { type: 'Polygon', coordinates: [[...points, points[0] as Position]] } : null;
}

class Measure implements ToolPanel {
  readonly element: HTMLElement;
  readonly #map: Promise<MapView | null>;
  readonly #result = h('output', { class: 'measure-result' });
  readonly #hint = h('p', { class: 'hint' }, t('hint-place'));
  readonly #place = h('p', { class: 'measure-place', role: 'status' });
  readonly #buttons = new Map<What, HTMLButtonElement>();
  #what: What = 'length';
  #points: Position[] = [];
  #drawing: AbortController | null = null;
  #release: (() => void) | null = null;
  #leave = new AbortController();

  constructor({ map }: Context) {
    this.#map = map;
    const button = (what: What): HTMLButtonElement => {
      const made = h('button', { type: 'button', 'aria-pressed': 'false', click: () => void this.#draw(what) }, t(what));
      this.#buttons.set(what, made);
      return made;
    };
    this.element = h('div', { class: 'measure' },
      h('div', { class: 'measure-row' }, button('length'), button('area')),
      this.#hint, this.#result,
      h('div', { class: 'measure-row' },
        h('button', { type: 'button', click: () => void this.#addMiddle() }, t('middle')),
        h('button', { type: 'button', click: () => void this.#copyMiddle() }, t('copy-middle')),
        h('button', { type: 'button', click: () => this.#clear() }, t('clear'))),
      this.#place);
  }

  open(): void {
    this.#leave = new AbortController();
    void import('../../map/draw'); // there when the first point is set
    void this.#map.then((map) => {
      if (!map || this.#leave.signal.aborted) return;
      this.#takeClicks(map);
      const { maplibre } = map;
      const follow = ({ lngLat }: { lngLat: { lng: number; lat: number } }): void => {
        this.#place.textContent = formatPosition(lngLat.lng, lngLat.lat);
      };
      maplibre.on('mousemove', follow);
      this.#leave.signal.addEventListener('abort', () => maplibre.off('mousemove', follow));
      map.showShape(shapeOf(this.#what, this.#points));
    });
  }

  close(): void {
    this.#leave.abort();
    this.#drawing?.abort();
    this.#release?.();
    void this.#map.then((map) => map?.showShape(null));
  }

  #takeClicks(map: MapView): void {
    this.#release = map.takeClicks((lon, lat) => void this.#copy(lon, lat));
  }

  async #draw(what: What): Promise<void> {
    const again = this.#drawing !== null && this.#what === what;
    this.#drawing?.abort();
    const map = await this.#map;
    if (again || !map) return;
    this.#clear();
    this.#what = what;
    const mine = new AbortController();
    this.#drawing = mine;
    this.#press(what);
    this.#hint.textContent = t(what === 'length' ? 'hint-length' : 'hint-area');
    const drawn = await map.draw(what === 'length' ? 'line' : 'polygon', { signal: mine.signal, changed: (shape) => this.#show(shape) });
    if (this.#drawing === mine) {
      this.#drawing = null;
      this.#press(null);
      this.#hint.textContent = t('hint-place');
      if (!this.#leave.signal.aborted) this.#takeClicks(map);
    }
    if (!drawn) return;
    this.#points = drawn.type === 'Polygon' ? (drawn.coordinates[0] ?? []).slice(0, -1) : drawn.coordinates;
    this.#show(drawn);
    if (!this.#leave.signal.aborted) map.showShape(drawn);
  }

  #press(what: What | null): void {
    for (const [id, button] of this.#buttons) button.setAttribute('aria-pressed', String(id === what));
  }

  #show(shape: LineString | Polygon | null): void {
    const ring = shape?.type === 'Polygon' ? (shape.coordinates[0] ?? []) : null;
    if (ring) this.#result.textContent = t('result-area', { area: say(inArea(areaOf(ring.slice(0, -1)))), length: say(inMetres(lengthOf(ring))) });
    else if (shape?.type === 'LineString') this.#result.textContent = t('result-length', { length: say(inMetres(lengthOf(shape.coordinates))) });
    else this.#result.textContent = '';
  }

  /** For who has no pointer: the map is moved by arrow keys, its middle is a point. */
  async #addMiddle(): Promise<void> {
    this.#drawing?.abort();
    const map = await this.#map;
    if (!map) return;
    const { lon, lat } = map.centre();
    this.#points.push([lon, lat]);
    const shape = shapeOf(this.#what, this.#points);
    map.showShape(shape ?? { type: 'MultiPoint', coordinates: this.#points });
    this.#show(shape);
  }

  async #copyMiddle(): Promise<void> {
    const centre = (await this.#map)?.centre();
    if (centre) await this.#copy(centre.lon, centre.lat);
  }

  async #copy(lon: number, lat: number): Promise<void> {
    const place = `${lat.toFixed(5)}, ${lon.toFixed(5)}`;
    this.#place.textContent = t((await copyText(place)) ? 'copied' : 'not-copied', { place });
  }

  #clear(): void {
    this.#points = [];
    this.#show(null);
    void this.#map.then((map) => map?.showShape(null));
  }
}

export const create = (context: Context): ToolPanel => new Measure(context);
