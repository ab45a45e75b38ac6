/** What a geoservice would have said, site by site, with what each site can see. */
import { ApiError, isObject, number, objects, text, type Json } from '../../api';
import { h } from '../../dom';
import { formatDay, formatValue } from '../../format';
import { inTurn } from '../../heavy';
import { language } from '../../language';
import { write, type Document } from '../api';
import { textIn } from '../model';
import { dotsOf } from '../dots';
import { smallChart } from '../small-chart';
import { hectares } from './places';
import { t } from './words';

/** Sites that are previewed; each takes seconds. */
const MOST = 20;
const TRIES = 4;
const PAUSE = 1500; // milliseconds

/** A request for the preview of one site; how many there are is told by the first. */
export interface Wanted {
  path: string;
  body?: unknown;
}

const query = (site: number | null): string => `?${new URLSearchParams({ locale: language, ...(site !== null && { site: String(site) }) }).toString()}`;

/** A busy server answers 503: what it has decoded by then makes the next try shorter. */
async function ask(path: string, body: unknown, signal: AbortSignal): Promise<Document> {
  for (let tried = 1; ; tried++) {
    try {
      return await write('POST', path, { body });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 503 || tried === TRIES || signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

function figures(sight: Json, unit: string): HTMLElement {
  const value = (key: string): string | null => {
    const found = number(sight[key]);
    return found === null ? null : `${formatValue(found)} ${unit}`.trim();
  };
  const rate = (key: string): string | null => {
    const found = number(sight[key]);
    return found === null ? null : formatValue(found);
  };
  const [alarms, most] = [rate('false_alarms_per_year'), rate('false_alarms_at_most')];
  const rows: [string, string | null][] = [
    [t('smallest-change'), value('smallest_change')],
    [t('coding'), value('coding')],
    [t('clear-per-month'), rate('clear_dates_per_month')],
    [t('false-alarms'), alarms === null ? null : t('false-alarms-value', { number: alarms, most: most ?? '' })],
  ];
  return h('dl', { class: 'figures' }, ...rows.flatMap(([name, found]) => [h('div', {}, h('dt', {}, name), h('dd', {}, found === null ? t('too-short') : h('bdi', {}, found)))]));
}

function deviation(one: Json): HTMLElement {
  const day = (key: string): string => formatDay(new Date(text(one[key]) ?? 0));
  const words = t(one['alert'] === true ? 'would-alert' : 'would-verify', { first: day('first'), last: day('last'), severity: number(one['severity']) ?? 1 });
  return h('li', {}, words);
}

function siteCard(site: Json, title: string, unit: string): HTMLElement {
  const advice = isObject(site['advice']) ? site['advice'] : {};
  const found = objects(site['deviations']);
  const area = number(site['area_m2']) ?? 0;
  const name = textIn(site['name'], '');
  const heading = h('h3', {}, h('bdi', {}, name), ` · ${title}`, area > 0 ? ` · ${hectares(area)}` : '');
  return h('article', { class: 'previewed' }, heading,
    h('p', { class: text(advice['code']) === 'fine' ? 'sub' : 'advice' }, text(advice['sentence']) ?? ''),
    figures(isObject(site['sight']) ? site['sight'] : {}, unit),
    smallChart(dotsOf(site['observations']), t('preview-chart', { what: `${name}, ${title}` })),
    h('p', { class: 'sub' }, t('clear-of-all', { clear: number(site['clear_dates']) ?? 0, count: objects(site['observations']).length })),
    found.length === 0 ? h('p', {}, t('no-deviation')) : h('ul', { class: 'deviations' }, ...found.map(deviation)));
}

export class Preview {
  readonly element: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #status = h('p', { role: 'status' });
  readonly #progress = h('progress', { hidden: true, 'aria-label': t('preview') });
  readonly #result = h('div', { class: 'preview-result' });
  #running: AbortController | null = null;

  /**
   * Args: `wanted` answers what is asked for, one request a site where it knows their number; `failed` shows what is wrong.
   */
  constructor(private readonly wanted: () => Promise<Wanted[]> | Wanted[], private readonly failed: (error: unknown) => string, signal: AbortSignal) {
    this.#button = h('button', { type: 'button', class: 'button', click: () => void this.run() }, t('preview'));
    this.element = h('section', { class: 'card form', 'aria-labelledby': 'preview-heading' }, h('h2', { id: 'preview-heading' }, t('preview-title')), h('p', { class: 'sub' }, t('preview-hint')),
      h('div', { class: 'actions' }, this.#button), this.#progress, this.#status, this.#result);
    signal.addEventListener('abort', () => this.#running?.abort());
  }

  async run(): Promise<void> {
    if (this.#running) return this.#running.abort();
    const running = new AbortController();
    this.#running = running;
    this.#button.textContent = t('stop');
    this.#result.replaceChildren();
    this.#status.textContent = t('previewing');
    try {
      await this.#all(await this.wanted(), running.signal);
    } catch (error) {
      if (!running.signal.aborted) this.#status.textContent = this.failed(error);
      else this.#status.textContent = '';
    } finally {
      this.#running = null;
      this.#button.textContent = t('preview');
      this.#progress.hidden = true;
    }
  }

  async #all(wanted: readonly Wanted[], signal: AbortSignal): Promise<void> {
    const sum = { count: 0, seconds: 0, messages: 0, alerts: 0 };
    let [since, until] = ['', ''];
    let all = Infinity;
    let done = 0;
    const single = wanted.length === 1 ? wanted[0] : undefined;
    for (; done < Math.min(all, MOST); done++) {
      const one = single ?? wanted[done];
      if (!one) break;
      const { body } = await inTurn(() => ask(`${one.path}${query(single ? done : null)}`, one.body, signal), signal);
      signal.throwIfAborted();
      all = single ? (number(body['sites']) ?? 1) : wanted.length;
      const cost = isObject(body['cost']) ? body['cost'] : {};
      sum.count += number(cost['observations']) ?? 0;
      sum.seconds += number(cost['seconds']) ?? 0;
      sum.messages += number(cost['messages']) ?? 0;
      [since, until] = [text(body['since']) ?? since, text(body['until']) ?? until];
      sum.alerts += this.#show(body);
      if (all > 1) {
        this.#progress.hidden = false;
        this.#progress.max = Math.min(all, MOST);
        this.#progress.value = done + 1;
        this.#status.textContent = t('preview-part', { done: done + 1, all });
      }
    }
    const [from, to] = [since, until].map((each) => formatDay(new Date(each)));
    const told = t('preview-sum', { from: from ?? '', to: to ?? '', count: sum.count, alerts: sum.alerts, messages: sum.messages, seconds: Number(sum.seconds.toFixed(1)) });
    this.#status.textContent = all > MOST ? `${told} ${t('preview-first', { number: MOST, all })}` : told;
  }

  /** Shows what a request answers; how many alerts there would have been is returned. */
  #show(body: Json): number {
    let alerts = 0;
    for (const indicator of objects(body['indicators'])) {
      for (const site of objects(indicator['sites'])) {
        this.#result.append(siteCard(site, textIn(indicator['title'], text(indicator['id']) ?? ''), text(indicator['unit']) ?? ''));
        alerts += objects(site['deviations']).filter((each) => each['alert'] === true).length;
      }
    }
    return alerts;
  }
}
