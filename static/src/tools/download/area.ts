/** The area that is taken away: what the map shows, all of it, a rectangle that is drawn or typed. */
import { h } from '../../dom';
import { bboxOf, roundedBox, type BBox } from '../../geo';
import type { MapView } from '../../map/map';
import { words } from '../../words/words';

type Key = keyof typeof import('../../words/download/en.json');
const t = words<Key>('download');
const SIDES = ['west', 'south', 'east', 'north'] as const;

/** `w,s,e,n` as the link keeps it; null for what makes no sense. */
export function parseArea(value: string | undefined): BBox | null {
  const sides = (value ?? '').split(',').map(Number);
  const [west = NaN, south = NaN, east = NaN, north = NaN] = sides;
  const sound = sides.length === 4 && west < east && south < north && west >= -180 && east <= 180 && south >= -90 && north <= 90;
  return sound ? [west, south, east, north] : null;
}

export class AreaForm {
  readonly element: HTMLFieldSetElement;
  readonly #sides: HTMLInputElement[];
  readonly #view: HTMLButtonElement;
  readonly #whole: HTMLButtonElement;
  readonly #drawButton: HTMLButtonElement;
  readonly #map: Promise<MapView | null>;
  readonly #changed: () => void;
  #drawing: AbortController | null = null;
  /** Whether the area is what the map shows, and so follows it. */
  #follows = true;

  constructor(map: Promise<MapView | null>, changed: () => void) {
    this.#map = map;
    this.#changed = changed;
    const field = (side: (typeof SIDES)[number]): HTMLInputElement =>
      h('input', { type: 'number', step: 'any', inputmode: 'decimal', dir: 'ltr', 'aria-label': t('degrees', { side: t(side) }), placeholder: t(side), input: () => this.#typed() });
    this.#sides = SIDES.map(field);
    this.#view = h('button', { type: 'button', click: () => void this.takeView() }, t('view'));
    this.#whole = h('button', { type: 'button', click: () => this.set(null) }, t('whole'));
    this.#drawButton = h('button', { type: 'button', click: () => void this.#draw() }, t('draw'));
    this.element = h('fieldset', { class: 'area' }, h('legend', {}, t('area')),
      h('div', { class: 'buttons' }, this.#view, this.#drawButton, this.#whole),
      h('details', {}, h('summary', {}, t('by-numbers')), h('div', { class: 'sides' }, ...this.#sides), h('p', { class: 'hint' }, t('sides'))));
    this.#press();
  }

  /** The area; null is everything, undefined what can't be one. */
  get value(): BBox | null | undefined {
    const filled = this.#sides.filter(({ value, validity }) => value !== '' || validity.badInput);
    if (filled.length === 0) return null;
    return parseArea(this.#sides.map(({ valueAsNumber }) => valueAsNumber).join()) ?? undefined;
  }

  get follows(): boolean {
    return this.#follows;
  }

  /** Null is everything. */
  set(box: BBox | null): void {
    this.#fill(box);
    this.#typed();
  }

  async takeView(): Promise<void> {
    const view = (await this.#map)?.view();
    if (!view) return;
    this.#fill(roundedBox(view));
    this.#follows = true;
    this.#told();
  }

  stopDrawing(): void {
    this.#drawing?.abort();
  }

  #fill(box: BBox | null): void {
    this.#sides.forEach((side, index) => (side.value = box ? String(box[index]) : ''));
  }

  #typed(): void {
    this.#follows = false;
    this.#told();
  }

  #told(): void {
    this.#press();
    void this.#map.then((map) => map?.showArea(this.#follows ? null : (this.value ?? null)));
    this.#changed();
  }

  #press(): void {
    const drawn = !this.#follows && this.value != null;
    const whole = !this.#follows && this.value === null;
    for (const [button, on] of [[this.#view, this.#follows], [this.#drawButton, drawn || this.#drawing !== null], [this.#whole, whole]] as const) {
      button.setAttribute('aria-pressed', String(on));
    }
  }

  async #draw(): Promise<void> {
    if (this.#drawing) return this.#drawing.abort();
    const map = await this.#map;
    if (!map) return;
    this.#drawing = new AbortController();
    this.#drawButton.textContent = t('drawing');
    this.#press();
    const drawn = await map.draw('rectangle', { signal: this.#drawing.signal });
    this.#drawing = null;
    this.#drawButton.textContent = t('draw');
    const box = drawn?.type === 'Polygon' ? bboxOf(drawn) : null;
    if (box) this.set(roundedBox(box));
    else this.#press();
  }
}
