/** Who is told of a new geoservice's alerts. */
import { h } from '../../dom';
import { language } from '../../language';
import { labelled, languageField, removeButton, severityField, textField } from './fields';
import { t } from './words';

export interface Told {
  email: string;
  locale: string;
  min_severity: number;
}

export class People {
  readonly element: HTMLElement;
  readonly #rows = h('div', { class: 'form' });
  readonly #changed: () => void;
  #shown: { element: HTMLElement; value: () => Told }[] = [];

  constructor(changed: () => void) {
    this.#changed = changed;
    const more = h('button', { type: 'button', class: 'button', click: () => this.add() }, t('add-recipient'));
    this.element = h('div', { class: 'form', 'data-field': 'recipients' }, h('p', { class: 'hint' }, t('recipients-hint')), this.#rows, h('div', { class: 'actions' }, more));
  }

  /** Rows in which nothing is written are left out. */
  get value(): Told[] {
    return this.all.filter(({ email }) => email !== '');
  }

  get all(): Told[] {
    return this.#shown.map(({ value }) => value());
  }

  set value(people: readonly Told[]) {
    this.#shown = people.map((each, index) => this.#row(each, index));
    this.#rows.replaceChildren(...this.#shown.map(({ element }) => element));
    this.#changed();
  }

  add(email = ''): void {
    this.value = [...this.all, { email, locale: language, min_severity: 1 }];
    if (!email) this.#rows.lastElementChild?.querySelector('input')?.focus();
  }

  #row(one: Told, index: number): { element: HTMLElement; value: () => Told } {
    const name = `recipients.${index}`;
    const email = textField(`${name}.email`, { type: 'email', value: one.email, maxlength: 254, dir: 'ltr', autocomplete: 'off' });
    const locale = languageField(`${name}.locale`, one.locale);
    const severity = severityField(`${name}.min_severity`, one.min_severity);
    const remove = removeButton(t('remove-recipient'), () => (this.value = this.all.filter((_, each) => each !== index)));
    const element = h('div', { class: 'person-row' }, labelled(t('email'), email), labelled(t('language'), locale), labelled(t('min-severity'), severity), remove);
    return { element, value: () => ({ email: email.value.trim(), locale: locale.value, min_severity: Number(severity.value) }) };
  }
}
