/** The sites on a picture of the newest clear scene, coloured by what their latest date says. */
import { layerPath, url, withQuery } from '../../api';
import { h, svg } from '../../dom';
import { formatDay } from '../../format';
import { bboxOf, unionOf, type BBox } from '../../geo';
import { project, unproject } from '../../mercator';
import { valueWords } from '../../tools/chart/value';
import { rampColour } from './colours';
import type { Site, SiteState } from './fetching';
import { extentOf, type Observation } from './observation';
import { t } from './words';

/** Pixels of the picture, and of the drawing over it. */
const WIDTH = 640;
const HEIGHT = 480;
/** Share of the sites' extent around them; at least so much of the world, some 300 m. */
const ROOM = 0.12;
const LEAST = 8e-6;
/** A site that is smaller on the picture is drawn as a dot of this radius. */
const DOT = 5;

export interface View {
  /** In the world of Mercator, 0 to 1. */
  left: number;
  top: number;
  width: number;
  height: number;
}

const boxOfSite = ({ geometry }: Pick<Site, 'geometry'>): BBox | null => {
  if (geometry.type !== 'Point') return bboxOf(geometry);
  const [x = NaN, y = NaN] = geometry.coordinates;
  return Number.isFinite(x) && Number.isFinite(y) ? [x, y, x, y] : null;
};

/** What of the world is shown: all sites with room around, in the shape of the picture. */
export function viewOfSites(sites: readonly Pick<Site, 'geometry'>[]): View | null {
  const box = unionOf(sites.map(boxOfSite).filter((each) => each !== null));
  if (!box) return null;
  const [left, top] = project(box[0], box[3]);
  const [right, bottom] = project(box[2], box[1]);
  const least = Math.max(LEAST, (1 + 2 * ROOM) * Math.max(right - left, ((bottom - top) * WIDTH) / HEIGHT));
  const height = (least * HEIGHT) / WIDTH;
  return { left: (left + right - least) / 2, top: (top + bottom - height) / 2, width: least, height };
}

/** The view in degrees. */
export function boundsOf({ left, top, width, height }: View): BBox {
  const [west, north] = unproject(left, top);
  const [east, south] = unproject(left + width, top + height);
  return [west, south, east, north];
}

function pictureOf(scene: Pick<Observation, 'collection' | 'item'>, view: View): string {
  const path = `${layerPath(scene)}/bbox/${boundsOf(view).map((each) => each.toFixed(6)).join(',')}.webp`;
  return withQuery(url(path), { rescale: 'auto', dst_crs: 'EPSG:3857', width: String(WIDTH), height: String(HEIGHT) }).href;
}

type Position = readonly number[];

/** Draws positions of degrees in pixels of the picture. */
function placing(view: View): (position: Position) => [number, number] {
  return ([lon = 0, lat = 0]) => {
    const [x, y] = project(lon, lat);
    return [((x - view.left) / view.width) * WIDTH, ((y - view.top) / view.height) * HEIGHT];
  };
}

function shapeOf({ geometry }: Site, place: (position: Position) => [number, number]): SVGElement {
  const rings = geometry.type === 'Point' ? [] : geometry.type === 'Polygon' ? geometry.coordinates : geometry.coordinates.flat();
  const points = rings.map((ring) => ring.map(place));
  const flat = geometry.type === 'Point' ? [place(geometry.coordinates)] : points.flat();
  const [xs, ys] = [flat.map(([x]) => x), flat.map(([, y]) => y)];
  const [[left, right], [top, bottom]] = [extentOf(xs), extentOf(ys)];
  if (Math.max(right - left, bottom - top) < 2 * DOT) return svg('circle', { cx: (left + right) / 2, cy: (top + bottom) / 2, r: DOT });
  const path = points.map((ring) => `M${ring.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join('L')}Z`).join('');
  return svg('path', { d: path, 'fill-rule': 'evenodd' });
}

export const siteWords = (site: Site, unit: string): string =>
  [site.name, site.value === null ? '' : valueWords(site, unit), t(`state-${site.state}`), site.date ? formatDay(site.date) : ''].filter(Boolean).join(' · ');

type Way = 'state' | 'value';

/** The lowest and the highest of the latest values; null where fewer than two sites have one. */
export function valueRange(sites: readonly Pick<Site, 'value'>[]): [number, number] | null {
  const values = sites.map(({ value }) => value).filter((each) => each !== null);
  return values.length < 2 ? null : extentOf(values);
}

const LEGEND: readonly SiteState[] = ['low', 'high', 'nominal', 'learning', 'unknown'];

export class SiteMap {
  readonly element: HTMLElement;
  readonly #drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'map-sites', role: 'group', 'aria-label': t('map-label') });
  readonly #pictures = h('div', { class: 'map-pictures' });
  readonly #caption = h('p', { class: 'sub' });
  readonly #readout = h('p', { class: 'map-readout', 'aria-hidden': 'true' });
  readonly #legend = h('ul', { class: 'key' });
  readonly #choose: (site: number) => void;
  readonly #ways = h('fieldset', { class: 'map-ways' }, h('legend', { class: 'visually-hidden' }, t('colour-by')),
    h('div', { class: 'chips segmented' }, ...(['state', 'value'] as const).map((way) => h('label', { class: 'chip' },
      h('input', { type: 'radio', name: 'map-colour', value: way, checked: way === 'state', change: () => this.#colour(way) }), h('span', {}, t(`by-${way}`))))));
  #way: Way = 'state';
  #sites: readonly Site[] = [];
  #unit = '';

  constructor(choose: (site: number) => void) {
    this.#choose = choose;
    this.element = h('section', { class: 'card site-map', 'aria-labelledby': 'map-title' }, h('div', { class: 'title-row' }, h('h2', { id: 'map-title' }, t('map-title')), this.#ways),
      h('div', { class: 'map-frame', dir: 'ltr' }, this.#pictures, this.#drawing, this.#readout), this.#legend, this.#caption);
  }

  show(sites: readonly Site[], scenes: readonly Pick<Observation, 'collection' | 'item' | 'date'>[], unit: string): void {
    const view = viewOfSites(sites);
    this.element.hidden = view === null;
    if (!view) return;
    const picture = (scene: Pick<Observation, 'collection' | 'item'>): HTMLElement => {
      const image = h('img', { alt: '', decoding: 'async', loading: 'lazy', width: WIDTH, height: HEIGHT, error: () => image.remove() });
      image.src = pictureOf(scene, view);
      return image;
    };
    this.#pictures.replaceChildren(...[...scenes].reverse().map(picture));
    const days = [...new Set(scenes.map(({ date }) => formatDay(date)))];
    this.#caption.textContent = days.length > 0 ? t('picture-of', { day: days.join(', ') }) : t('no-picture');
    const place = placing(view);
    this.#drawing.replaceChildren(...sites.map((site) => this.#site(site, place, unit)));
    this.#sites = sites;
    this.#unit = unit;
    this.#ways.hidden = valueRange(sites) === null;
    this.#colour(this.#ways.hidden ? 'state' : this.#way);
  }

  /** Colours the sites by what their latest date says, or by its value. */
  #colour(way: Way): void {
    this.#way = way;
    const range = way === 'value' ? valueRange(this.#sites) : null;
    for (const [place, { value }] of this.#sites.entries()) {
      const drawn = this.#drawing.children[place] as SVGElement | undefined;
      if (range && value !== null) drawn?.style.setProperty('--site', rampColour((value - range[0]) / (range[1] - range[0] || 1)));
      else drawn?.style.removeProperty('--site');
    }
    this.#legend.replaceChildren(...(range ? this.#ramp(range) : this.#states()));
  }

  #states(): HTMLElement[] {
    const there = new Set(this.#sites.map(({ state }) => state));
    return LEGEND.filter((state) => there.has(state)).map((state) => h('li', {}, h('i', { class: 'dot', 'data-state': state, 'aria-hidden': 'true' }), t(`state-${state}`)));
  }

  #ramp(range: readonly [number, number]): HTMLElement[] {
    const stops = [0, 0.25, 0.5, 0.75, 1].map(rampColour).join(', ');
    const [low, high] = range.map((value) => h('bdi', {}, valueWords({ value, uncertainty: null }, this.#unit)));
    return [h('li', { dir: 'ltr' }, low ?? '', h('i', { class: 'ramp', style: `background: linear-gradient(to right, ${stops})`, 'aria-hidden': 'true' }), high ?? '')];
  }

  /** Frames the site whose chart is shown. */
  mark(site: number): void {
    for (const each of this.#drawing.querySelectorAll('[data-site]')) each.setAttribute('aria-pressed', String(each.getAttribute('data-site') === String(site)));
  }

  #site(site: Site, place: (position: Position) => [number, number], unit: string): SVGElement {
    const words = siteWords(site, unit);
    const say = (): void => void (this.#readout.textContent = words);
    const still = (): void => void (this.#readout.textContent = '');
    const press = (event: KeyboardEvent): void => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      this.#choose(site.id);
    };
    return svg('g', {
      tabindex: 0, role: 'button', 'data-site': site.id, 'data-state': site.state, 'aria-label': words, 'aria-pressed': 'false',
      click: () => this.#choose(site.id), keydown: press, pointerenter: say, pointerleave: still, focus: say, blur: still,
    }, shapeOf(site, place));
  }
}
