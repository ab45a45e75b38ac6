/** What a dashboard shows: indicator, period, site. */
import { h } from '../../dom';
import type { Indicator } from '../model';
import { isLength, LENGTHS, type Period } from './period';
import type { Site } from './fetching';
import { t } from './words';

export interface ChoiceEvents {
  indicator: (id: string) => void;
  /** A length, or `from/to`. */
  period: (value: string) => void;
  site: (id: number) => void;
}

export class Choices {
  readonly element: HTMLElement;
  readonly #from: HTMLInputElement;
  readonly #to: HTMLInputElement;
  readonly #lengths: HTMLInputElement[];
  readonly #site: HTMLSelectElement;
  readonly #siteLabel: HTMLElement;

  constructor(indicators: readonly Indicator[], chosen: string, events: ChoiceEvents) {
    const chip = (name: string, value: string, words: string, checked: boolean, change: () => void): HTMLElement =>
      h('label', { class: 'chip' }, h('input', { type: 'radio', name, value, checked, change }), h('span', { dir: 'auto' }, words));
    const dated = (): void => events.period(`${this.#from.value}/${this.#to.value}`);
    this.#from = h('input', { type: 'date', 'aria-label': t('from'), change: dated });
    this.#to = h('input', { type: 'date', 'aria-label': t('to'), change: dated });
    this.#site = h('select', { change: () => events.site(Number(this.#site.value)) });
    this.#siteLabel = h('label', { class: 'choice', hidden: true }, h('span', {}, t('site')), this.#site);
    const lengths = LENGTHS.map((value) => chip('period', value, t(`period-${value}`), false, () => events.period(value)));
    this.#lengths = lengths.map((each) => each.querySelector('input')).filter((each) => each !== null);
    const ofIndicators = indicators.map(({ id, title }) => chip('indicator', id, title, id === chosen, () => events.indicator(id)));
    this.element = h('form', { class: 'choices', 'aria-label': t('choices'), submit: (event: Event) => event.preventDefault() },
      indicators.length > 1 ? h('fieldset', { class: 'choice' }, h('legend', {}, t('indicator')), h('div', { class: 'chips' }, ...ofIndicators)) : null,
      h('fieldset', { class: 'choice' }, h('legend', {}, t('period')), h('div', { class: 'chips' }, ...lengths, h('span', { class: 'dates', dir: 'ltr' }, this.#from, '–', this.#to))),
      this.#siteLabel);
  }

  /** Shows the period; `value` is what the link says of it. */
  period(value: string, { from, to }: Period): void {
    for (const each of this.#lengths) each.checked = isLength(value) && each.value === value;
    this.#from.value = from ?? '';
    this.#to.value = to ?? '';
    this.#from.max = to ?? '';
    this.#to.min = from ?? '';
  }

  sites(sites: readonly Site[], chosen: number): void {
    this.#siteLabel.hidden = sites.length < 2;
    this.#site.replaceChildren(...sites.map(({ id, name }) => h('option', { value: id }, name)));
    this.#site.value = String(chosen);
  }
}
