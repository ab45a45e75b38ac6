/** A histogram with two handles under it: the values that are shown black and white. */
import type { Range } from '../../api';
import { h, svg } from '../../dom';
import type { Distribution } from './histogram';
import { formatEnd, HEIGHT, outline, WIDTH } from './outline';
import { t } from './words';

const STEPS = 1000;
/** Red, green, blue; or grey, where there is one result. */
const COLOURS = { 3: ['#d43a2f', '#2f9e44', '#2f6fd4'], 1: ['var(--muted)'] } as Record<number, readonly string[]>;

export class Handles {
  readonly element: HTMLElement;
  readonly #picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'stretch-histogram', role: 'img', preserveAspectRatio: 'none', 'aria-label': t('histogram') });
  readonly #low: HTMLInputElement;
  readonly #high: HTMLInputElement;
  readonly #ends = [h('output'), h('output')] as const;
  readonly #changed: (range: Range) => void;
  #extent: Range = [0, 1];
  #found: readonly Distribution[] = [];

  /** `changed` is told when a handle has come to rest. */
  constructor(changed: (range: Range) => void) {
    this.#changed = changed;
    const handle = (label: string, other: () => HTMLInputElement, sign: 1 | -1): HTMLInputElement => {
      const input: HTMLInputElement = h('input', {
        type: 'range', min: 0, max: STEPS, step: 1, 'aria-label': label,
        input: () => {
          const bound = Number(other().value) - sign;
          if (sign * (bound - Number(input.value)) < 0) input.value = String(bound);
          this.#describe();
        },
        change: () => this.#changed(this.#range()),
      });
      return input;
    };
    this.#low = handle(t('black'), () => this.#high, 1);
    this.#high = handle(t('white'), () => this.#low, -1);
    const [first, last] = this.#ends;
    const end = (label: string, value: HTMLElement): HTMLElement => h('span', { dir: 'auto' }, label, ' ', value);
    const ends = h('div', { class: 'scale', 'aria-hidden': 'true' }, end(t('black'), first), end(t('white'), last));
    this.element = h('div', { class: 'stretch-handles', dir: 'ltr' }, this.#picture, h('div', { class: 'stretch-ranges' }, this.#low, this.#high), ends);
  }

  show(found: readonly Distribution[], range: Range, extent: Range): void {
    this.#found = found;
    this.#extent = extent;
    const place = (value: number): string => String(Math.round(((value - extent[0]) / (extent[1] - extent[0])) * STEPS));
    this.#low.value = place(range[0]);
    this.#high.value = place(range[1]);
    this.#describe();
  }

  #range(): Range {
    const value = (input: HTMLInputElement): number => this.#extent[0] + (Number(input.value) / STEPS) * (this.#extent[1] - this.#extent[0]);
    return [value(this.#low), value(this.#high)];
  }

  #describe(): void {
    const [low, high] = this.#range();
    const [first, last] = this.#ends;
    for (const [input, output, value] of [[this.#low, first, low], [this.#high, last, high]] as const) {
      input.setAttribute('aria-valuetext', formatEnd(value));
      output.textContent = formatEnd(value);
    }
    const colours = COLOURS[this.#found.length] ?? [];
    const areas = this.#found.map((each, index) => svg('polygon', { points: outline(each, this.#extent), fill: colours[index] ?? 'var(--muted)', 'fill-opacity': 0.35 }));
    const x = (input: HTMLInputElement): number => (Number(input.value) / STEPS) * WIDTH;
    const shade = (from: number, to: number): SVGElement => svg('rect', { x: from, y: 0, width: Math.max(0, to - from), height: HEIGHT, class: 'stretch-cut' });
    this.#picture.replaceChildren(...areas, shade(0, x(this.#low)), shade(x(this.#high), WIDTH));
  }
}
