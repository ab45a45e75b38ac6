/** The field for a formula: completes words, and marks the one that is wrong. */
import { namesOf, type SceneBand } from '../../api';
import { h } from '../../dom';
import { direction, locale } from '../../language';
import { completions, faultOf, type Fault } from './formula';
import { t } from './words';

/** Words offered at a time. */
const OFFERED = 14;

export class FormulaField {
  readonly element: HTMLElement;
  readonly #text = h('textarea', { rows: 3, spellcheck: 'false', autocapitalize: 'off', dir: 'ltr', maxlength: 1000, input: () => this.#typed(), keyup: () => this.#offer(), click: () => this.#offer() });
  readonly #offers = h('div', { class: 'indicator-offers', role: 'group', 'aria-label': t('complete') });
  readonly #fault = h('p', { class: 'indicator-fault', role: 'status' });
  readonly #changed: (formula: string, fault: Fault | null) => void;
  #bands: readonly SceneBand[] = [];
  #names: readonly string[] = [];

  /** `name` is of its elements, `indicator-<name>` and `indicator-<name>-fault`; `rows` are lines of text. */
  constructor(name: string, label: string, rows: number, changed: (formula: string, fault: Fault | null) => void) {
    this.#changed = changed;
    this.#text.id = `indicator-${name}`;
    this.#text.rows = rows;
    this.#fault.id = name === 'formula' ? 'indicator-fault' : `indicator-${name}-fault`;
    this.#text.setAttribute('aria-describedby', this.#fault.id);
    this.element = h('div', { class: 'indicator-field' }, h('label', { for: this.#text.id }, label), this.#text, this.#offers, this.#fault);
  }

  get value(): string {
    return this.#text.value.trim();
  }

  set value(formula: string) {
    this.#text.value = formula;
    this.#judge();
    this.#offer();
  }

  set bands(bands: readonly SceneBand[]) {
    this.#bands = bands;
    this.#names = namesOf(bands);
    this.#judge();
    this.#offer();
  }

  get fault(): Fault | null {
    return this.value ? faultOf(this.#text.value, this.#names) : null;
  }

  /** What the server says against the formula, and where it is wrong, if it tells. */
  refuse(sentence: string, offset: number | null = null, length = 0): void {
    const place = offset === null ? [] : [this.#marked(offset, length)];
    this.#fault.replaceChildren(...place, h('span', {}, sentence));
    this.#text.setAttribute('aria-invalid', 'true');
  }

  #typed(): void {
    const fault = this.#judge();
    this.#offer();
    this.#changed(this.value, fault);
  }

  #judge(): Fault | null {
    const { fault } = this;
    this.#text.setAttribute('aria-invalid', String(fault !== null));
    this.#fault.replaceChildren(...(fault ? this.#explained(fault) : []));
    return fault;
  }

  /** The formula with the wrong word marked, and what is wrong with it. */
  #explained({ reason, offset, length, hint }: Fault): (Node | string)[] {
    const word = this.#text.value.slice(offset, offset + length);
    const isolated = (name: string): string => (direction === 'rtl' ? `\u2068${name}\u2069` : name);
    const bands = new Intl.ListFormat(locale).format(this.#names.map(isolated));
    const words = `${t(reason, { word, bands })}${hint ? ` ${t('meant', { word: hint })}` : ''}`;
    return [this.#marked(offset, length), h('span', {}, words)];
  }

  /** The formula with a part of it marked. */
  #marked(offset: number, length: number): HTMLElement {
    const formula = this.#text.value;
    return h('code', { dir: 'ltr' }, formula.slice(0, offset), h('mark', {}, formula.slice(offset, offset + length)), formula.slice(offset + length));
  }

  #offer(): void {
    const { from, to, words } = completions(this.#text.value, this.#text.selectionStart, this.#names);
    const insert = (word: string): void => {
      const { value } = this.#text;
      const bracket = this.#names.includes(word) ? '' : '(';
      this.#text.value = `${value.slice(0, from)}${word}${bracket}${value.slice(to)}`;
      this.#text.focus();
      this.#text.setSelectionRange(from + word.length + bracket.length, from + word.length + bracket.length);
      this.#typed();
    };
    this.#offers.replaceChildren(...words.slice(0, OFFERED).map((word) => this.#button(word, () => insert(word))));
  }

  /** A word to choose; of a band with what it is of, as names of bands say nothing to most. */
  #button(word: string, click: () => void): HTMLElement {
    const band = this.#bands.find(({ name }) => name === word);
    if (!band?.title) return h('button', { type: 'button', click, dir: 'ltr' }, word);
    const length = band.wavelength === null ? '' : t('wavelength', { length: band.wavelength.toLocaleString(locale, { maximumFractionDigits: 3 }) });
    return h('button', { type: 'button', click, title: [band.title, length].filter(Boolean).join(', ') }, h('code', {}, word), ' ', h('span', {}, band.title));
  }
}
