/** When a deviation becomes an alert, and who decides. */
import { isObject, number, text } from '../../api';
import { h } from '../../dom';
import { labelled, numberField, numberOf, selectField } from './fields';
import { t } from './words';

const NUMBERS = ['dates', 'of', 'min_clear', 'max_cloud_nearby', 'min_pixels', 'expires_days'] as const;
const USUAL: Readonly<Record<(typeof NUMBERS)[number], number>> = { dates: 2, of: 3, min_clear: 0.9, max_cloud_nearby: 0.3, min_pixels: 4, expires_days: 14 };
const LIMITS: Readonly<Record<(typeof NUMBERS)[number], readonly [number, number]>> = { dates: [1, 10], of: [1, 10], min_clear: [0, 1], max_cloud_nearby: [0, 1], min_pixels: [1, 1e6], expires_days: [1, 365] };

export class Policy {
  readonly element: HTMLElement;
  readonly #moderation: HTMLSelectElement;
  readonly #fields: readonly (readonly [(typeof NUMBERS)[number], HTMLInputElement])[];
  readonly #kept: Readonly<Record<string, unknown>>;

  constructor(policy: unknown = {}) {
    this.#kept = isObject(policy) ? policy : {};
    const ways = (['required', 'automatic', 'none'] as const).map((each) => [each, t(`moderation-${each}`)] as const);
    this.#moderation = selectField('alerts.moderation', ways, text(this.#kept['moderation']) ?? 'required');
    this.#fields = NUMBERS.map((name) => {
      const [min, max] = LIMITS[name];
      return [name, numberField(`alerts.${name}`, { value: number(this.#kept[name]) ?? USUAL[name], min, max })] as const;
    });
    this.element = h('div', { class: 'form' }, labelled(t('moderation'), this.#moderation),
      h('details', {}, h('summary', {}, t('policy')), h('div', { class: 'pair' }, ...this.#fields.map(([name, field]) => labelled(t(name), field)))));
  }

  /** The whole policy: what the form does not know of stays. */
  get value(): Record<string, unknown> {
    const numbers = this.#fields.map(([name, field]) => [name, numberOf(field)] as const).filter(([, value]) => value !== undefined);
    return { ...this.#kept, ...Object.fromEntries(numbers), moderation: this.#moderation.value };
  }
}
