/**
 * The strip of dates along the map: spaced as they were acquired, a dot a date that tells its cloud, a tick where dates are
 * close, years under them, its picture on hover, play. Arrow keys and the buttons go from date to date. A second handle appears while two dates are compared.
 */
import { layerPath, url, withQuery, type Item } from '../api';
import { h, icon } from '../dom';
import { formatDay, formatYear, isoDay } from '../format';
import { direction } from '../language';
import { saver } from '../saver';
import { cloudOf, type State, type Store } from '../store';
import { t } from '../words/shell';
import { fraction, nearest, roomy, STEP_KEYS, stopsOf, yearMarks, type Stop } from './stops';

const RESOLUTION = 10_000;
/** A date is shown for at least so long while playing, in milliseconds. */
const FRAME = 900;
const PLAY = 'M6 4l10 6-10 6z';
const PAUSE = 'M6 4v12M13 4v12';
const THUMBNAIL = 160;

export interface TimelineActions {
  /** Resolves when the date is shown, or has failed. */
  choose: (key: string) => Promise<void>;
  /** The other date of a comparison. */
  second: (item: Item) => void;
}

/** One handle: a slider over the stops. */
class Handle {
  readonly input: HTMLInputElement;
  index = 0;
  #stops: readonly Stop[] = [];
  readonly #told: (index: number) => void;

  constructor(label: string, told: (index: number) => void, go: (index: number) => void) {
    this.#told = told;
    this.input = h('input', {
      type: 'range', min: 0, max: RESOLUTION, 'aria-label': label,
      input: () => this.#told(this.#pointed()),
      change: () => go(this.#pointed()),
      keydown: (event: KeyboardEvent) => {
        const step = STEP_KEYS[event.key];
        if (!step) return;
        event.preventDefault();
        go(step(this.index, this.#stops.length));
      },
    });
  }

  show(stops: readonly Stop[], index: number): void {
    this.#stops = stops;
    this.index = index;
    const stop = stops[index];
    if (!stop) return;
    this.input.value = String(Math.round(fraction(stops, stop.date) * RESOLUTION));
    this.input.setAttribute('aria-valuetext', describe(stops, index));
  }

  #pointed(): number {
    return nearest(this.#stops, Number(this.input.value) / RESOLUTION);
  }
}

function describe(stops: readonly Stop[], index: number): string {
  const stop = stops[index];
  return stop ? t('date-of', { day: formatDay(stop.date), place: index + 1, count: stops.length }) : '';
}

export class Timeline {
  readonly #store: Store;
  readonly #actions: TimelineActions;
  readonly #ticks = h('div', { class: 'ticks', 'aria-hidden': 'true' });
  readonly #label = h('output', { class: 'timeline-label' });
  readonly #peek = h('figure', { class: 'peek', hidden: true, 'aria-hidden': 'true' });
  readonly #track: HTMLElement;
  readonly #first = new Handle(t('date'), (index) => this.#say(index), (index) => void this.#go(index));
  readonly #second = new Handle(t('second-date'), (index) => this.#say(index), (index) => this.#goSecond(index));
  readonly #earlier = this.#button(t('earlier'), 'M12 4l-6 6 6 6', () => void this.#go(this.#first.index - 1));
  readonly #later = this.#button(t('later'), 'M8 4l6 6-6 6', () => void this.#go(this.#first.index + 1));
  readonly #play = this.#button(t('play'), PLAY, () => void this.#run());
  #stops: readonly Stop[] = [];
  /** What the ticks show. */
  #drawn = '';
  #playing = false;

  constructor(root: HTMLElement, store: Store, actions: TimelineActions) {
    this.#store = store;
    this.#actions = actions;
    const leave = (): void => void (this.#peek.hidden = true);
    this.#track = h('div', { class: 'track', pointermove: (event: PointerEvent) => this.#look(event), pointerleave: leave }, this.#ticks, this.#first.input, this.#second.input, this.#peek);
    root.append(this.#play, this.#earlier, this.#track, this.#later, this.#label);
    store.watch(['series', 'layer', 'item', 'pending', 'second', 'clouds'], (state) => {
      root.hidden = !this.#show(state);
      document.documentElement.classList.toggle('with-strip', !root.hidden);
    });
    new ResizeObserver(() => this.#draw()).observe(this.#ticks);
  }

  #button(label: string, path: string, click: () => void): HTMLButtonElement {
    return h('button', { type: 'button', class: 'round', 'aria-label': label, title: label, click }, icon(path));
  }

  /** Shows the stops, oldest first, and which of them is current or on its way; answers whether there are any. */
  #show(state: Readonly<State>): boolean {
    const { stops, current } = stopsOf(state);
    if (stops.length < 2) return false;
    this.#stops = stops;
    this.#draw();
    const index = Math.max(0, stops.findIndex(({ key }) => key === current));
    this.#first.show(stops, index);
    const second = stops.findIndex(({ key }) => key === state.second?.key);
    this.#second.input.hidden = second < 0;
    this.#track.classList.toggle('two', second >= 0);
    if (second >= 0) this.#second.show(stops, second);
    this.#earlier.disabled = index === 0;
    this.#later.disabled = index >= stops.length - 1;
    this.#say(index);
    return true;
  }

  /** The dates and years, as the track's width has space for them. */
  #draw(): void {
    const [stops, { state }, width] = [this.#stops, this.#store, this.#ticks.clientWidth];
    const drawn = JSON.stringify([width, stops.map(({ key, item }) => [key, cloudOf(state, item)])]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const dots = roomy(stops, width);
    const years = yearMarks(stops, width).map(({ date, at }) => h('span', { style: `--at: ${at.toFixed(4)}` }, formatYear(date)));
    this.#ticks.replaceChildren(...years, ...stops.map((stop, i) => tick(stops, stop, cloudOf(state, stop.item), dots[i] === true)));
  }

  #say(index: number): void {
    this.#label.textContent = describe(this.#stops, index);
  }

  async #go(index: number): Promise<void> {
    const bounded = Math.min(this.#stops.length - 1, Math.max(0, index));
    const stop = this.#stops[bounded];
    if (!stop || bounded === this.#first.index) return this.#say(this.#first.index);
    this.#first.show(this.#stops, bounded);
    this.#say(bounded);
    await this.#actions.choose(stop.key);
  }

  #goSecond(index: number): void {
    const item = this.#stops[Math.min(this.#stops.length - 1, Math.max(0, index))]?.item;
    if (item) this.#actions.second(item);
  }

  /** Shows the picture of the date that the pointer is at. */
  #look({ clientX, pointerType }: PointerEvent): void {
    if (pointerType === 'touch') return;
    const { left, width } = this.#ticks.getBoundingClientRect();
    const along = (clientX - left) / width;
    const stop = this.#stops[nearest(this.#stops, direction === 'rtl' ? 1 - along : along)];
    if (!stop) return;
    this.#peek.hidden = false;
    this.#peek.style.setProperty('--at', String(fraction(this.#stops, stop.date)));
    const { state } = this.#store;
    const key = JSON.stringify([stop.key, state.rendering, cloudOf(state, stop.item)]);
    if (this.#peek.dataset['key'] === key) return;
    this.#peek.dataset['key'] = key;
    const { collection, id } = stop.item;
    const source = withQuery(url(`${layerPath({ collection, item: id })}/preview.webp`), { ...state.rendering, max_size: String(THUMBNAIL) }).href;
    const picture = saver.saving ? null : h('img', { src: source, alt: '' });
    this.#peek.replaceChildren(...(picture ? [picture] : []), h('figcaption', {}, formatDay(stop.date), cloudWords(state, stop.item)));
  }

  /** Goes from date to date, from the first again when at the last, until it is stopped or a date fails. */
  async #run(): Promise<void> {
    if (this.#playing) return this.#stop();
    this.#playing = true;
    this.#play.setAttribute('aria-label', t('pause'));
    this.#play.replaceChildren(icon(PAUSE));
    let index = this.#first.index >= this.#stops.length - 1 ? 0 : this.#first.index + 1;
    for (; this.#playing && index < this.#stops.length; index++) {
      await Promise.all([this.#go(index), new Promise((resolve) => setTimeout(resolve, FRAME))]);
      if (this.#store.state.error) break;
    }
    this.#stop();
  }

  #stop(): void {
    this.#playing = false;
    this.#play.setAttribute('aria-label', t('play'));
    this.#play.replaceChildren(icon(PLAY));
  }
}

/** ` · 12 % cloud over this view`, or of the scene; empty where nobody tells. */
function cloudWords(state: Readonly<State>, item: Item): string {
  const cloud = cloudOf(state, item);
  if (cloud === null) return '';
  return ` · ${t(state.clouds.has(item.id) ? 'cloud-here' : 'cloud', { count: Math.round(cloud) })}`;
}

/** A dot, or a tick, whose filling is what of the scene is not cloud; empty where that is not known. */
function tick(stops: readonly Stop[], { date }: Stop, cloud: number | null, dot: boolean): HTMLElement {
  const style = `--at: ${fraction(stops, date).toFixed(4)}; --clear: ${cloud === null ? 0 : (1 - cloud / 100).toFixed(2)}`;
  return h('i', { style, class: dot && 'dot', 'data-cloud': cloud === null ? 'unknown' : cloud > 50 ? 'much' : 'little', 'data-day': isoDay(date) });
}
