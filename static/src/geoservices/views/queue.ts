/** The moderator's queue: alerts that wait, the most severe first, decided one after the other by key or by touch. */
import { ApiError } from '../../api';
import { h } from '../../dom';
import { formatDay } from '../../format';
import { addSheet } from '../../sheets';
import form from '../form.css';
import { evidenceCard, preload, t } from '../queue/card';
import { Decision } from '../queue/decision';
import { decide, fetchEvidence, fetchWaiting, type Evidence, type Reason, type Waiting } from '../queue/model';
import css from '../queue/queue.css';
import { linkTo } from '../route';
import type { Context, Show } from '../views';
import { loadOwnWords } from '../say';

addSheet(form);
addSheet(css);

const isTyping = (target: EventTarget | null): boolean => target instanceof HTMLElement && target.matches('textarea, select, input:not([type=radio])');

class Queue {
  readonly #context: Context;
  readonly #list = h('ol', { class: 'waiting-list' });
  readonly #count = h('p', { class: 'sub', role: 'status' });
  readonly #done = h('p', { class: 'done', role: 'status' });
  readonly #shown = h('div', { class: 'shown' });
  readonly #evidence = new Map<number, Promise<Evidence>>();
  #alerts: Waiting[];
  #waiting: number;
  #at = 0;
  #decision: Decision | null = null;

  constructor(host: HTMLElement, context: Context, alerts: Waiting[], waiting: number) {
    this.#context = context;
    this.#alerts = alerts;
    this.#waiting = waiting;
    const heading = h('div', { class: 'queue-head' }, h('h1', {}, t('title')), this.#count, h('p', { class: 'hint keys' }, t('keys')));
    host.append(heading, this.#done, h('div', { class: 'queue' }, h('nav', { 'aria-label': t('list') }, this.#list), this.#shown));
    document.addEventListener('keydown', this.#key, { signal: context.signal });
    void this.#show(0);
  }

  readonly #key = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const key = event.key.toLowerCase();
    const decision = this.#decision;
    if (key === 'j') void this.#show(this.#at + 1);
    else if (key === 'k') void this.#show(this.#at - 1);
    else if (key === 'c') decision?.begin('confirm');
    else if (key === 'd') decision?.begin('dismiss');
    else if (key === 'escape' && decision?.isBegun) decision.cancel();
    else if (/^[1-5]$/.test(key)) decision?.choose(Number(key));
    else return;
    event.preventDefault();
  };

  #fetch(id: number): Promise<Evidence> {
    const known = this.#evidence.get(id);
    if (known) return known;
    const found = fetchEvidence(id, this.#context.signal);
    this.#evidence.set(id, found);
    found.catch(() => this.#evidence.delete(id));
    return found;
  }

  #draw(): void {
    this.#count.textContent = this.#waiting > 0 ? t('waiting', { count: this.#waiting }) : '';
    const rows = this.#alerts.map(({ site, geoservice, severity, since }, index) =>
      h('li', {}, h('button', { type: 'button', 'aria-current': index === this.#at ? 'true' : null, click: () => void this.#show(index) },
        h('span', { class: 'tag', 'data-kind': severity === 3 ? 'alert' : null }, t('severity', { number: severity })),
        h('span', { class: 'what' }, h('strong', { dir: 'auto' }, site), h('span', { class: 'sub', dir: 'auto' }, geoservice), h('span', { class: 'sub' }, formatDay(since))))));
    this.#list.replaceChildren(...rows);
    this.#list.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  async #show(index: number): Promise<void> {
    if (index < 0 || (index >= this.#alerts.length && this.#alerts.length > 0)) return;
    this.#at = index;
    this.#decision = null;
    this.#draw();
    const alert = this.#alerts[index];
    if (!alert) return this.#nothing();
    this.#shown.setAttribute('aria-busy', 'true');
    try {
      const found = await this.#fetch(alert.id);
      if (this.#alerts[this.#at] === alert && !this.#context.signal.aborted) this.#open(alert, found);
    } catch (error) {
      if (!this.#context.signal.aborted) this.#context.complain(error);
    } finally {
      this.#shown.removeAttribute('aria-busy');
    }
  }

  #open(alert: Waiting, found: Evidence): void {
    this.#context.entitle(`${found.heading} · ${t('title')}`);
    this.#decision = new Decision((reason, comment) => this.#decide(alert, reason, comment));
    const step = (by: number, label: string, key: string): HTMLButtonElement =>
      h('button', { type: 'button', class: 'button', 'aria-keyshortcuts': key, disabled: this.#alerts[this.#at + by] === undefined, click: () => void this.#show(this.#at + by) }, label, h('kbd', { 'aria-hidden': 'true' }, key.toUpperCase()));
    const card = h('article', { class: 'card', 'aria-labelledby': 'alert-heading' },
      h('h2', { id: 'alert-heading', tabindex: -1 }, found.heading),
      h('p', { class: 'sub' }, h('a', { href: linkTo('geoservice', alert.slug), dir: 'auto' }, alert.geoservice)),
      ...evidenceCard(found));
    this.#shown.replaceChildren(card, this.#decision.element, h('div', { class: 'actions' }, step(-1, t('previous'), 'k'), step(1, t('next'), 'j')));
    const next = this.#alerts[this.#at + 1];
    if (next) void this.#fetch(next.id).then(preload, () => undefined);
  }

  #nothing(): void {
    this.#context.entitle(t('title'));
    this.#shown.replaceChildren(h('div', { class: 'state' }, h('h2', {}, t('nothing')), h('p', { class: 'sub' }, t('nothing-hint')), h('a', { href: linkTo('list') }, t('all'))));
  }

  async #decide(alert: Waiting, reason: Reason | null, comment: string): Promise<void> {
    try {
      await decide(alert.id, reason, comment);
    } catch (error) {
      this.#context.complain(error);
      if (error instanceof ApiError && (error.status === 409 || error.status === 404)) await this.#renew();
      return;
    }
    const values = { site: alert.site, indicator: alert.indicator };
    this.#done.textContent = reason ? t('dismissed-now', { ...values, reason: t(reason) }) : t('confirmed-now', values);
    this.#alerts = this.#alerts.filter((each) => each !== alert);
    this.#waiting -= 1;
    if (this.#alerts.length === 0 && this.#waiting > 0) return this.#renew();
    await this.#show(Math.min(this.#at, Math.max(0, this.#alerts.length - 1)));
    (this.#shown.querySelector<HTMLElement>('#alert-heading') ?? this.#done).focus();
  }

  /** Somebody else has decided, or there are more than one page. */
  async #renew(): Promise<void> {
    ({ alerts: this.#alerts, waiting: this.#waiting } = await fetchWaiting(this.#context.route.slug, this.#context.signal));
    await this.#show(0);
  }
}

export const show: Show = async (host, context) => {
  await loadOwnWords('queue');
  context.entitle(t('title'));
  if (!context.account) {
    host.append(h('div', { class: 'state' }, h('h1', {}, t('title')), h('p', {}, t('sign-in-first')), h('a', { class: 'button main', href: linkTo('sign-in') }, t('sign-in'))));
    return () => undefined;
  }
  const { alerts, waiting } = await fetchWaiting(context.route.slug, context.signal);
  new Queue(host, context, alerts, waiting);
  return () => undefined;
};
