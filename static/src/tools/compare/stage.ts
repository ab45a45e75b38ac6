/** The second picture on the map's stage: over the first with a border, beside it, through it, or in turn with it. */
import { problemSentence, type TileSet } from '../../api';
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

type Failure = { status?: number; body?: Blob; message?: string };

/** What a failed tile says: the sentence of the server's problem+json where there is one. */
async function sentenceOf({ status, body, message }: Failure): Promise<string> {
  const answer: unknown = await body?.text().then(JSON.parse).catch(() => null);
  return status ? problemSentence(answer, status) : (message ?? '');
}

export class Stage {
  readonly #map: MapView;
  readonly #words: StageWords;
  readonly #events: StageEvents;
  readonly #container = h('div', { id: 'compare-map', class: 'compare-map', 'aria-hidden': 'true' });
  readonly #labels = [h('p', { class: 'compare-label compare-here' }), h('p', { class: 'compare-label compare-there' })] as const;
  readonly #bar: Bar;
  #twin: Promise<Twin> | null = null;
  /** Counts pictures, so that one that comes late is not taken for the last. */
  #turn = 0;

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

  /** Shows tiles; the label names them once they are there. */
  async show(tiles: TileSet, here: string, there: string): Promise<void> {
    const turn = (this.#turn += 1);
    this.#labels[0].textContent = here;
    this.#setBusy(true, '');
    const twin = await this.#twin;
    const failure = await twin?.show(tiles).catch((error: Failure) => error);
    if (turn !== this.#turn || !this.#container.isConnected) return;
    this.#setBusy(false, there);
    if (failure) this.#events.problem(await sentenceOf(failure));
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
    return Twin.create(this.#map, this.#container);
  }

  #setBusy(busy: boolean, title: string): void {
    this.#container.setAttribute('aria-busy', String(busy));
    this.#labels[1].textContent = busy ? this.#words.loading : title;
  }
}
