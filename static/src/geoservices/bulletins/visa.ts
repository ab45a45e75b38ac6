/** What is done with a bulletin: first what it will do, in words, then doing it. */
import { ApiError, text } from '../../api';
import { h } from '../../dom';
import { addSheet } from '../../sheets';
import { words } from '../../words/words';
import { read, write } from '../api';
import type { Bulletin } from '../dashboard/fetching';
import form from '../form.css';
import type { Step } from './steps';

const t = words<keyof typeof import('../words/visa/en.json')>('visa');
const MOST_NOTE = 1000;
/** Somebody else has been faster: what is listed is no longer so. */
const STALE: readonly (number | null)[] = [404, 412];

addSheet(form);

export interface VisaEvents {
  /** Lists anew what there is, and tells what has happened. */
  renew: (told: string) => Promise<void>;
  complain: (error: unknown) => void;
  signal: AbortSignal;
}

const effectOf = (step: Step, state: string): string => t(step === 'recompose' && state !== 'draft' ? 'effect-revision' : `effect-${step}`);

export class Visa {
  readonly element = h('div', { class: 'visa' });
  readonly #bulletin: Bulletin;
  readonly #steps: readonly Step[];
  readonly #events: VisaEvents;
  #isBusy = false;

  constructor(bulletin: Bulletin, steps: readonly Step[], events: VisaEvents) {
    this.#bulletin = bulletin;
    this.#steps = steps;
    this.#events = events;
    this.#ask(null);
  }

  /** The steps there are; `focused` after one of them was taken back. */
  #ask(focused: Step | null): void {
    const { number } = this.#bulletin;
    const buttons = this.#steps.map((step) =>
      h('button', { type: 'button', class: 'button', 'data-step': step, 'aria-label': `${t(step)}: ${number}`, click: () => void this.#once(() => this.#begin(step)) }, t(step)));
    this.element.replaceChildren(h('div', { class: 'actions' }, ...buttons));
    this.element.querySelector<HTMLElement>(`[data-step="${focused}"]`)?.focus();
  }

  async #once(work: () => Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.element.setAttribute('aria-busy', 'true');
    try {
      await work();
    } catch (error) {
      if (error instanceof ApiError && STALE.includes(error.status)) await this.#events.renew(error.message).catch(this.#events.complain);
      else if (!this.#events.signal.aborted) this.#events.complain(error);
    } finally {
      this.#isBusy = false;
      this.element.removeAttribute('aria-busy');
    }
  }

  /** Asks, if the bulletin still is what was listed, and so what was read. */
  async #begin(step: Step): Promise<void> {
    const { id, number, digest, state } = this.#bulletin;
    const { body, etag } = await read(`bulletins/${id}.json`, {}, this.#events.signal);
    if (body['sha256'] !== digest || body['state'] !== state) return this.#events.renew(t('changed', { number }));
    this.element.replaceChildren(this.#form(step, etag));
    this.element.querySelector<HTMLElement>('textarea, [type="submit"]')?.focus();
  }

  #form(step: Step, etag: string | null): HTMLElement {
    const { id, number, state } = this.#bulletin;
    const [question, effect, wrong] = ['question', 'effect', 'wrong'].map((each) => `visa-${each}-${id}`) as [string, string, string];
    const note = step === 'approve' || step === 'reject' ? h('textarea', { rows: 2, maxlength: MOST_NOTE, dir: 'auto', 'aria-required': step === 'reject' ? 'true' : null, 'aria-describedby': wrong }) : null;
    const fault = h('p', { class: 'fault', id: wrong, role: 'alert', dir: 'auto' });
    const back = (): void => (this.#isBusy ? undefined : this.#ask(step));
    const submit = (event: Event): void => {
      event.preventDefault();
      const isLacking = step === 'reject' && note?.value.trim() === '';
      fault.textContent = isLacking ? t('note-missing') : '';
      note?.setAttribute('aria-invalid', String(isLacking));
      if (isLacking) return note?.focus();
      void this.#once(() => this.#do(step, note?.value.trim() ?? '', etag, fault));
    };
    const keydown = (event: KeyboardEvent): void => (event.key === 'Escape' ? back() : undefined);
    return h('form', { class: 'form', 'aria-labelledby': question, 'aria-describedby': effect, novalidate: true, submit, keydown },
      h('h3', { id: question }, t(`question-${step}`, { number })), h('p', { id: effect }, effectOf(step, state)),
      note && h('label', {}, t(step === 'reject' ? 'note-reject' : 'note-approve'), note), fault,
      h('div', { class: 'actions' }, h('button', { type: 'submit', class: `button ${step === 'reject' ? 'danger' : 'main'}` }, t(`do-${step}`)), h('button', { type: 'button', class: 'button', click: back }, t('cancel'))));
  }

  /** Does it; what the server refuses stands in place, with what was typed. */
  async #do(step: Step, note: string, etag: string | null, fault: HTMLElement): Promise<void> {
    const { id, number } = this.#bulletin;
    try {
      const { body } = await write('POST', `bulletins/${id}/${step}`, { etag, ...(step !== 'recompose' && { body: { note } }) });
      await this.#events.renew(t(`done-${step}`, { number: text(body['number']) ?? number }));
    } catch (error) {
      if (!(error instanceof ApiError) || STALE.includes(error.status)) throw error;
      fault.textContent = error.message;
    }
  }
}
