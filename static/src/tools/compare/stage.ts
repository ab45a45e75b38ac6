/** The second picture on the map's stage: over the first with a border, beside it, through it, or in turn with it. */
import { ApiError, problemSentence, type TileSet } from '../../api';
import { byId, h } from '../../dom';
import type { MapView } from '../../map/map';
import type { Twin } from '../../map/twin';
import { Bar } from './bar';
import type { Mode } from './link';

export interface StageWords {
  bar: string;
  percent: (at: number) => string;
  loading: string;
}

export interface StageEvents {
  moved: (at: number) => void;
  problem: (sentence: string) => void;
}

export class Stage {
  readonly #map: MapView;
  readonly #words: StageWords;
  readonly #events: StageEvents;
  readonly #container = h('div', { id: 'compare-map', class: 'compare-map', 'aria-hidden': 'true' });
  readonly #labels = [h('p', { class: 'compare-label compare-here' }), h('p', { class: 'compare-label compare-there' })] as const;
  readonly #bar: Bar;
  #twin: Promise<Twin> | null = null;
  #title = '';
  #busy = true;

  constructor(map: MapView, words: StageWords, events: StageEvents) {
    this.#map = map;
    this.#words = words;
    this.#events = events;
    this.#bar = new Bar(words.bar, words.percent, (at, over) => {
      this.#place(at);
      if (over) events.moved(at);
    });
  }

  /** Puts the second map on the page, laid out for a mode. */
  async lay(mode: Mode, at: number): Promise<void> {
    const stage = byId('stage');
    if (!this.#container.isConnected) {
      byId('map').after(this.#container, ...this.#labels, this.#bar.element);
      this.#twin = this.#create();
    }
    stage.dataset['compare'] = mode;
    this.#bar.at = at;
    this.#place(at);
    this.seen = true;
    (await this.#twin)?.resize();
  }

  /** Shows tiles; the label names them when they are there. */
  async show(tiles: TileSet, here: string, there: string): Promise<void> {
    this.#title = there;
    this.#labels[0].textContent = here;
    this.#setBusy(true);
    const twin = await this.#twin;
    twin?.show(tiles);
  }

  set seen(seen: boolean) {
    this.#container.classList.toggle('compare-unseen', !seen);
  }

  remove(): void {
    delete byId('stage').dataset['compare'];
    const twin = this.#twin;
    this.#twin = null;
    for (const element of [this.#container, ...this.#labels, this.#bar.element]) element.remove();
    void twin?.then((made) => {
      made.resize();
      made.remove();
    });
  }

  #place(at: number): void {
    this.#container.style.setProperty('--at', String(at));
  }

  async #create(): Promise<Twin> {
    const { Twin } = await import('../../map/twin');
    return Twin.create(this.#map, this.#container, {
      onBusy: (busy) => this.#setBusy(busy),
      onError: (error) => void this.#fail(error),
    });
  }

  #setBusy(busy: boolean): void {
    this.#busy = busy;
    byId('compare-map').setAttribute('aria-busy', String(busy));
    this.#labels[1].textContent = busy ? this.#words.loading : this.#title;
  }

  async #fail(error: Error & { status?: number; body?: Blob }): Promise<void> {
    const body: unknown = await error.body?.text().then(JSON.parse).catch(() => null);
    const failure = error.status ? problemSentence(body, error.status) : new ApiError(error.message, null).message;
    this.#events.problem(failure);
  }

  get busy(): boolean {
    return this.#busy;
  }
}
