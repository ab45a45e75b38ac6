/** All sites at all dates as coloured cells: a row a site, a column a date. Arrow keys move, Enter shows the site's chart. */
import { h } from '../../dom';
import { formatDay, formatYear } from '../../format';
import { direction } from '../../language';
import { valueWords } from '../../tools/chart/value';
import { colour, nameOf, onColours } from './colours';
import { byDay, daysOf, standingOf, type Observation, type SiteSeries } from './observation';
import { standingWords } from './telling';
import { t } from './words';

/** Rows are named where that many fit. */
const NAMED = 40;
const CELL = { least: 2, most: 18 } as const;
/** Height that rows share before they become less high. */
const HEIGHT = 640;
/** Width of a year's label, in pixels. */
const LABEL = 34;

export interface CarpetEvents {
  choose: (site: number, day: string) => void;
}

interface Shape {
  width: number;
  height: number;
}

/** Size of a cell, in pixels, for so many rows and columns in a width. */
export function cellOf(rows: number, columns: number, width: number): Shape {
  const fit = (room: number, count: number): number => Math.min(CELL.most, Math.max(CELL.least, Math.floor(room / Math.max(1, count))));
  return { width: Math.max(CELL.least, Math.min(28, width / Math.max(1, columns))), height: fit(HEIGHT, rows) };
}

const KEYS: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Carpet {
  readonly element: HTMLElement;
  readonly #events: CarpetEvents;
  readonly #unit: string;
  readonly #canvas = h('canvas', {
    tabindex: 0, role: 'application', 'aria-label': t('carpet-label'), 'aria-describedby': 'carpet-keys',
    pointermove: (event: PointerEvent) => this.#point(event), pointerleave: () => this.#blur(),
    click: (event: PointerEvent) => { this.#point(event); this.#choose(); },
    keydown: (event: KeyboardEvent) => this.#press(event), focus: () => this.#move(0, 0), blur: () => this.#blur(),
  });
  readonly #cellsOnly = h('canvas');
  readonly #tip = h('p', { class: 'tip', 'aria-hidden': 'true', hidden: true });
  readonly #told = h('p', { class: 'visually-hidden', 'aria-live': 'polite' });
  readonly #names = h('ul', { class: 'carpet-names' });
  readonly #years = h('div', { class: 'carpet-years', 'aria-hidden': 'true' });
  readonly #frame: HTMLElement;
  readonly #size: ResizeObserver;
  readonly #stop: () => void;
  #series: readonly SiteSeries[] = [];
  #days: string[] = [];
  #cells: Map<string, Observation>[] = [];
  #cell: Shape = { width: 1, height: 1 };
  #at: [number, number] = [0, 0];
  #pointed = false;
  #chosen: number | null = null;

  constructor(unit: string, events: CarpetEvents) {
    this.#unit = unit;
    this.#events = events;
    this.#frame = h('div', { class: 'carpet-cells' }, this.#canvas, this.#years, this.#tip);
    this.element = h('div', { class: 'carpet', dir: 'ltr' }, this.#names, this.#frame, this.#told, h('p', { id: 'carpet-keys', class: 'visually-hidden' }, t('carpet-keys')));
    this.#size = new ResizeObserver(() => this.#draw());
    this.#size.observe(this.#frame);
    this.#stop = onColours(() => this.#draw());
  }

  show(series: readonly SiteSeries[]): void {
    this.#series = series;
    this.#days = daysOf(series);
    this.#cells = series.map(byDay);
    this.#at = [Math.max(0, this.#days.length - 1), 0];
    this.#names.replaceChildren(...(series.length > NAMED ? [] : series.map(({ name }) => h('li', { title: name }, h('bdi', {}, name)))));
    this.#draw();
  }

  /** Frames the row of the site whose chart is shown. */
  mark(site: number): void {
    this.#chosen = site;
    this.#drawFrames();
  }

  close(): void {
    this.#size.disconnect();
    this.#stop();
  }

  #draw(): void {
    const width = this.#frame.clientWidth;
    const [rows, columns] = [this.#series.length, this.#days.length];
    if (width === 0 || columns === 0) return;
    this.#cell = cellOf(rows, columns, width);
    this.#names.style.setProperty('--row', `${this.#cell.height}px`);
    const [w, height] = [this.#cell.width * columns, this.#cell.height * rows];
    for (const each of [this.#cellsOnly, this.#canvas]) Object.assign(each, { width: Math.round(w * devicePixelRatio), height: Math.round(height * devicePixelRatio) });
    Object.assign(this.#canvas.style, { width: `${w}px`, height: `${height}px` });
    this.#drawCells();
    this.#drawFrames();
    this.#drawYears();
  }

  #drawCells(): void {
    const ctx = this.#cellsOnly.getContext('2d');
    if (!ctx) return;
    ctx.scale(devicePixelRatio, devicePixelRatio);
    const fills = new Map<string, string>();
    const gap = this.#cell.height > 6 && this.#cell.width > 4 ? 1 : 0;
    this.#cells.forEach((row, y) => this.#days.forEach((day, x) => {
      const name = nameOf(standingOf(row.get(day)));
      if (!fills.has(name)) fills.set(name, colour(name));
      ctx.fillStyle = fills.get(name) ?? '';
      ctx.fillRect(x * this.#cell.width, y * this.#cell.height, this.#cell.width - gap, this.#cell.height - gap);
    }));
  }

  /** The cells with a frame around the row whose chart is shown, and around the cell that is pointed at. */
  #drawFrames(): void {
    const ctx = this.#canvas.getContext('2d');
    if (!ctx || this.#cellsOnly.width === 0) return;
    const { width, height } = this.#cell;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    ctx.drawImage(this.#cellsOnly, 0, 0);
    ctx.scale(devicePixelRatio, devicePixelRatio);
    ctx.lineWidth = 2;
    const row = this.#series.findIndex(({ site }) => site === this.#chosen);
    ctx.strokeStyle = colour('--accent');
    if (row >= 0) ctx.strokeRect(1, row * height, width * this.#days.length - 2, height - 1);
    const [x, y] = this.#at;
    ctx.strokeStyle = colour('--text');
    if (this.#pointed) ctx.strokeRect(x * width - 1, y * height - 1, width + 1, height + 1);
  }

  /** A mark where each year begins. */
  #drawYears(): void {
    const firsts = this.#days.flatMap((day, place) => (place === 0 || day.slice(0, 4) !== this.#days[place - 1]?.slice(0, 4) ? [{ day, place }] : []));
    const room = firsts.filter(({ place }, index) => ((firsts[index + 1]?.place ?? this.#days.length) - place) * this.#cell.width > LABEL);
    this.#years.replaceChildren(...room.map(({ day, place }) => h('span', { style: `left: ${place * this.#cell.width}px` }, formatYear(new Date(day)))));
  }

  #point(event: PointerEvent): void {
    const box = this.#canvas.getBoundingClientRect();
    this.#go(Math.floor((event.clientX - box.left) / this.#cell.width), Math.floor((event.clientY - box.top) / this.#cell.height));
  }

  #press(event: KeyboardEvent): void {
    const step = KEYS[event.key];
    if (event.key === 'Enter' || event.key === ' ') this.#choose();
    else if (event.key === 'Home' || event.key === 'End') this.#go(event.key === 'Home' ? 0 : this.#days.length - 1, this.#at[1], true);
    else if (step) this.#move(...step);
    else return;
    event.preventDefault();
  }

  #move(right: number, down: number): void {
    this.#go(this.#at[0] + right, this.#at[1] + down, true);
  }

  /** Goes to a cell; `told`: also for those who do not see it. */
  #go(x: number, y: number, told = false): void {
    this.#at = [Math.min(this.#days.length - 1, Math.max(0, x)), Math.min(this.#series.length - 1, Math.max(0, y))];
    this.#pointed = true;
    this.#drawFrames();
    const words = this.#words();
    this.#tip.textContent = words;
    this.#tip.hidden = false;
    if (told) {
      this.#told.textContent = words;
      this.#bringIntoSight();
    }
    this.#placeTip();
  }

  /** Scrolls as far as the cell needs. */
  #bringIntoSight(): void {
    const [left, top] = [this.#at[0] * this.#cell.width, this.#at[1] * this.#cell.height];
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.#frame;
    this.#frame.scrollLeft = Math.min(left, Math.max(scrollLeft, left + this.#cell.width - clientWidth));
    this.#frame.scrollTop = Math.min(top, Math.max(scrollTop, top + 4 * this.#cell.height - clientHeight));
  }

  /** Beside the cell, and within the page. */
  #placeTip(): void {
    const [x, y] = [this.#at[0] * this.#cell.width, (this.#at[1] + 1) * this.#cell.height];
    const most = this.#frame.scrollLeft + this.#frame.clientWidth - this.#tip.offsetWidth;
    this.#tip.style.transform = `translate(${Math.max(0, Math.min(x, most))}px, ${y + 6}px)`;
  }

  #words(): string {
    const [x, y] = this.#at;
    const [day, series] = [this.#days[x], this.#series[y]];
    if (!day || !series) return '';
    const one = this.#cells[y]?.get(day);
    const parts = [series.name, formatDay(new Date(day)), one?.value != null ? valueWords(one, this.#unit) : '', one ? standingWords(one) : t('is-absent')];
    return parts.filter(Boolean).map((part) => (direction === 'rtl' ? `\u2068${part}\u2069` : part)).join(' · ');
  }

  #blur(): void {
    if (document.activeElement === this.#canvas && this.#canvas.matches(':focus-visible')) return;
    this.#pointed = false;
    this.#tip.hidden = true;
    this.#drawFrames();
  }

  #choose(): void {
    const [x, y] = this.#at;
    const [day, series] = [this.#days[x], this.#series[y]];
    if (day && series) this.#events.choose(series.site, day);
  }
}
