/** The border between two pictures: dragged, or moved by arrow keys. */
import { h } from '../../dom';

const STEP = 0.02;

export class Bar {
  readonly element: HTMLElement;
  readonly #moved: (at: number, over: boolean) => void;
  readonly #say: (at: number) => string;
  #at = 0.5;
  /** Left edge and width of what it is dragged across, in pixels: asking for them at each movement would lay out the page. */
  #across = { left: 0, width: 1 };

  /** `moved` is told of each place, and whether the movement is over. */
  constructor(label: string, say: (at: number) => string, moved: (at: number, over: boolean) => void) {
    this.#moved = moved;
    this.#say = say;
    this.element = h('div', {
      class: 'compare-bar', role: 'slider', tabindex: 0, 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-orientation': 'horizontal',
      pointerdown: (event: PointerEvent) => this.#take(event),
      pointermove: (event: PointerEvent) => this.#drag(event),
      pointerup: () => this.#moved(this.#at, true),
      keydown: (event: KeyboardEvent) => this.#key(event),
    }, h('span', { 'aria-hidden': 'true' }));
  }

  set at(at: number) {
    this.#at = Math.min(1, Math.max(0, at));
    const percent = Math.round(this.#at * 100);
    this.element.style.left = `${this.#at * 100}%`;
    this.element.setAttribute('aria-valuenow', String(percent));
    this.element.setAttribute('aria-valuetext', this.#say(this.#at));
  }

  #take(event: PointerEvent): void {
    this.element.setPointerCapture(event.pointerId);
    this.#across = (this.element.parentElement as HTMLElement).getBoundingClientRect();
  }

  #drag(event: PointerEvent): void {
    if (!this.element.hasPointerCapture(event.pointerId)) return;
    const { left, width } = this.#across;
    this.#set((event.clientX - left) / width, false);
  }

  #key(event: KeyboardEvent): void {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP, PageDown: -5 * STEP, PageUp: 5 * STEP }[event.key];
    const to = { Home: 0, End: 1 }[event.key] ?? (by === undefined ? undefined : this.#at + by);
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#set(to, true);
  }

  #set(at: number, over: boolean): void {
    this.at = at;
    this.#moved(this.#at, over);
  }
}
