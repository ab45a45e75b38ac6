/** Deciding on an alert: first what it will do, then doing it. There is no way back. */
import { h } from '../../dom';
import { t } from './card';
import { REASONS, type Reason } from './model';

const MOST_COMMENT = 1000;

export type Decide = (reason: Reason | null, comment: string) => Promise<void>;

export class Decision {
  readonly element = h('section', { class: 'card decision', 'aria-label': t('decide') });
  readonly #decide: Decide;
  #step: 'ask' | 'confirm' | 'dismiss' = 'ask';
  #reason: Reason | null = null;
  #comment = '';
  #busy = false;

  constructor(decide: Decide) {
    this.#decide = decide;
    this.#draw();
  }

  /** Whether something is begun that Escape takes back. */
  get isBegun(): boolean {
    return this.#step !== 'ask';
  }

  begin(step: 'confirm' | 'dismiss'): void {
    if (this.#busy) return;
    this.#step = step;
    this.#draw();
    this.element.querySelector<HTMLElement>(step === 'confirm' ? '.main' : 'input')?.focus();
  }

  cancel(): void {
    if (this.#busy) return;
    this.#step = 'ask';
    this.#draw();
    this.element.querySelector<HTMLElement>('button')?.focus();
  }

  /** A key from 1 to 5, where a reason is asked for. */
  choose(number: number): void {
    const input = this.element.querySelectorAll<HTMLInputElement>('input[type=radio]')[number - 1];
    if (this.#step === 'dismiss' && input) input.click();
    input?.focus();
  }

  #draw(): void {
    const parts = { ask: () => this.#ask(), confirm: () => this.#confirm(), dismiss: () => this.#dismiss() };
    this.element.replaceChildren(...parts[this.#step]());
  }

  #ask(): HTMLElement[] {
    return [h('div', { class: 'actions' },
      h('button', { type: 'button', class: 'button main', 'aria-keyshortcuts': 'c', click: () => this.begin('confirm') }, t('confirm'), h('kbd', { 'aria-hidden': 'true' }, 'C')),
      h('button', { type: 'button', class: 'button', 'aria-keyshortcuts': 'd', click: () => this.begin('dismiss') }, t('dismiss'), h('kbd', { 'aria-hidden': 'true' }, 'D')))];
  }

  #confirm(): HTMLElement[] {
    return [this.#form(null, [h('h3', {}, t('confirm-question')), h('p', {}, t('confirm-effect'))], t('confirm-now'))];
  }

  #dismiss(): HTMLElement[] {
    const options = REASONS.map((reason, index) => {
      const input = h('input', { type: 'radio', name: 'reason', value: reason, checked: reason === this.#reason, change: () => (this.#reason = reason) });
      return h('label', { class: 'chip' }, input, h('span', {}, `${index + 1} · ${t(reason)}`));
    });
    const fieldset = h('fieldset', {}, h('legend', {}, t('why')), h('div', { class: 'chips' }, ...options));
    return [this.#form('dismiss', [h('h3', {}, t('dismiss-question')), h('p', {}, t('dismiss-effect')), fieldset], t('dismiss-now'))];
  }

  #form(kind: 'dismiss' | null, before: readonly HTMLElement[], label: string): HTMLElement {
    const comment = h('textarea', { rows: 2, maxlength: MOST_COMMENT, input: () => (this.#comment = comment.value) }, this.#comment);
    const fault = h('p', { class: 'fault', role: 'alert' });
    const button = h('button', { type: 'submit', class: `button ${kind ? 'danger' : 'main'}` }, label);
    const submit = (event: Event): void => {
      event.preventDefault();
      if (this.#busy) return;
      if (kind && !this.#reason) {
        fault.textContent = t('reason-missing');
        return;
      }
      this.#busy = button.disabled = true;
      void this.#decide(kind ? this.#reason : null, this.#comment.trim()).finally(() => (this.#busy = button.disabled = false));
    };
    return h('form', { class: 'form', submit }, ...before, h('label', {}, t('comment'), comment), fault,
      h('div', { class: 'actions' }, button, h('button', { type: 'button', class: 'button', click: () => this.cancel() }, t('cancel'))));
  }
}
