/** Dates on a line, spaced as they were acquired. Arrow keys and the two buttons go from date to date. */
import { h, icon } from '../dom';
import { formatDay, isoDay } from '../format';

/** One stop of the timeline. */
export interface Stop {
  key: string;
  date: Date;
}

const RESOLUTION = 10_000;

/** Where a date lies between the first and the last stop, 0 to 1. */
export function fraction(stops: readonly Stop[], date: Date): number {
  const first = stops[0]?.date.getTime() ?? 0;
  const last = stops[stops.length - 1]?.date.getTime() ?? 0;
  return last > first ? (date.getTime() - first) / (last - first) : 0.5;
}

export function nearest(stops: readonly Stop[], at: number): number {
  const distance = (stop: Stop): number => Math.abs(fraction(stops, stop.date) - at);
  return stops.reduce((best, stop, i) => (distance(stop) < distance(stops[best] as Stop) ? i : best), 0);
}

/** One stop a day, oldest first. */
export function daysOf(dates: readonly Date[]): Stop[] {
  const days = [...new Set(dates.map(isoDay))].sort();
  return days.map((day) => ({ key: day, date: new Date(`${day}T00:00:00Z`) }));
}

const STEP_KEYS: Record<string, (index: number, count: number) => number> = {
  ArrowLeft: (i) => i - 1,
  ArrowDown: (i) => i - 1,
  ArrowRight: (i) => i + 1,
  ArrowUp: (i) => i + 1,
  PageDown: (i) => i - 5,
  PageUp: (i) => i + 5,
  Home: () => 0,
  End: (_, count) => count - 1,
};

export class Timeline {
  readonly element: HTMLElement;
  readonly #range: HTMLInputElement;
  readonly #ticks = h('div', { class: 'ticks', 'aria-hidden': 'true' });
  readonly #label = h('output', { class: 'timeline-label' });
  readonly #earlier: HTMLButtonElement;
  readonly #later: HTMLButtonElement;
  readonly #choose: (key: string) => void;
  #stops: readonly Stop[] = [];
  #index = 0;

  constructor(choose: (key: string) => void) {
    this.#choose = choose;
    const button = (label: string, path: string, by: number): HTMLButtonElement =>
      h('button', { type: 'button', class: 'round', 'aria-label': label, click: () => this.#go(this.#index + by) }, icon(path));
    this.#earlier = button('Earlier date', 'M12 4l-6 6 6 6', -1);
    this.#later = button('Later date', 'M8 4l6 6-6 6', 1);
    this.#range = h('input', {
      type: 'range',
      min: 0,
      max: RESOLUTION,
      'aria-label': 'Date',
      input: () => this.#describe(this.#pointed()),
      change: () => this.#go(this.#pointed()),
      keydown: (event: KeyboardEvent) => {
        const step = STEP_KEYS[event.key];
        if (!step) return;
        event.preventDefault();
        this.#go(step(this.#index, this.#stops.length));
      },
    });
    const track = h('div', { class: 'track' }, this.#ticks, this.#range);
    const row = h('div', { class: 'timeline-row' }, this.#earlier, track, this.#later);
    this.element = h('div', { class: 'timeline', role: 'group', 'aria-label': 'Timeline' }, row, this.#label);
  }

  /** Shows the stops, oldest first, and which of them is current. */
  show(stops: readonly Stop[], current: string): void {
    this.element.hidden = stops.length < 2;
    if (stops.map((stop) => stop.key).join() !== this.#stops.map((stop) => stop.key).join()) {
      const tick = (stop: Stop): HTMLElement => h('i', { style: `--at: ${fraction(stops, stop.date).toFixed(4)}` });
      this.#ticks.replaceChildren(...stops.map(tick));
    }
    this.#stops = stops;
    this.#place(Math.max(0, stops.findIndex((stop) => stop.key === current)));
  }

  #pointed(): number {
    return nearest(this.#stops, Number(this.#range.value) / RESOLUTION);
  }

  #go(index: number): void {
    const bounded = Math.min(this.#stops.length - 1, Math.max(0, index));
    const moved = bounded !== this.#index;
    this.#place(bounded);
    const stop = this.#stops[bounded];
    if (moved && stop) this.#choose(stop.key);
  }

  #place(index: number): void {
    this.#index = index;
    const stop = this.#stops[index];
    if (stop) this.#range.value = String(Math.round(fraction(this.#stops, stop.date) * RESOLUTION));
    this.#earlier.disabled = index === 0;
    this.#later.disabled = index >= this.#stops.length - 1;
    this.#describe(index);
  }

  #describe(index: number): void {
    const stop = this.#stops[index];
    if (!stop) return;
    const text = `${formatDay(stop.date)} · ${index + 1} of ${this.#stops.length} dates`;
    this.#label.textContent = text;
    this.#range.setAttribute('aria-valuetext', text);
  }
}
