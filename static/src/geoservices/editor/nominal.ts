/** Nominal values of an indicator: what is usual, in words that say what each kind is for. */
import { h } from '../../dom';
import { labelled, numberField, numberOf, selectField } from './fields';
import { t } from './words';

const KINDS = ['seasonal', 'change', 'fixed'] as const;
type Kind = (typeof KINDS)[number];

export class Nominal {
  readonly element: HTMLFieldSetElement;
  readonly #name: string;
  readonly #fields = h('div', { class: 'pair' });
  readonly #parts: Readonly<Record<Kind, readonly (readonly [string, HTMLInputElement | HTMLSelectElement, string])[]>>;
  readonly #radios: readonly HTMLInputElement[];

  constructor(name: string) {
    this.#name = name;
    const part = (key: string): string => `${name}.${key}`;
    const side = (): HTMLSelectElement => selectField(part('side'), (['low', 'high', 'both'] as const).map((each) => [each, t(`side-${each}`)] as const), 'low');
    const k = (): HTMLInputElement => numberField(part('k'), { value: 3, min: 1, max: 20 });
    this.#parts = {
      fixed: [['low', numberField(part('low')), t('low')], ['high', numberField(part('high')), t('high')]],
      seasonal: [['side', side(), t('side')], ['k', k(), t('k')], ['days', numberField(part('days'), { value: 25, min: 5, max: 90 }), t('days')], ['min_dates', numberField(part('min_dates'), { value: 5, min: 3, max: 100 }), t('min-dates')]],
      change: [['side', side(), t('side')], ['k', k(), t('k')], ['dates', numberField(part('dates'), { value: 6, min: 3, max: 50 }), t('change-dates')]],
    };
    this.#radios = KINDS.map((kind) => h('input', { type: 'radio', name: `${name}-kind`, value: kind, checked: kind === 'seasonal', change: () => this.#draw() }));
    const options = KINDS.map((kind, index) =>
      h('label', { class: 'check' }, this.#radios[index] ?? null, h('span', {}, h('strong', {}, t(`kind-${kind}`)), h('br'), h('span', { class: 'hint' }, t(`kind-${kind}-hint`)))));
    this.element = h('fieldset', { class: 'form nominal', 'data-field': name }, h('legend', {}, t('nominal')), ...options, this.#fields);
    this.#draw();
  }

  get #kind(): Kind {
    return KINDS[this.#radios.findIndex(({ checked }) => checked)] ?? 'seasonal';
  }

  get value(): Record<string, unknown> {
    const told = this.#parts[this.#kind].map(([key, field]) => [key, field instanceof HTMLInputElement ? numberOf(field) : field.value] as const);
    return { kind: this.#kind, ...Object.fromEntries(told.filter(([, value]) => value !== undefined)) };
  }

  set value(given: Readonly<Record<string, unknown>>) {
    const kind = KINDS.find((each) => each === given['kind']) ?? 'seasonal';
    for (const radio of this.#radios) radio.checked = radio.value === kind;
    for (const [key, field] of this.#parts[kind]) if (key in given || kind === 'fixed') field.value = String(given[key] ?? '');
    this.#draw();
  }

  #draw(): void {
    this.#fields.replaceChildren(...this.#parts[this.#kind].map(([, field, label]) => labelled(label, field)));
    this.#fields.dataset['kind'] = `${this.#name} ${this.#kind}`;
  }
}
