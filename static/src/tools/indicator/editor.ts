/** The field for a formula: completes words, and marks the one that is wrong. */
import { namesOf, type SceneBand } from '../../api';
import { h } from '../../dom';
import { direction, locale } from '../../language';
import type { Refusal } from './check';
import { completions, faultOf, type Fault } from './formula';
import { t } from './words';

type Refused = Refusal & { formula: string };

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
  #refused: Refused | null = null;

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
    const names = namesOf(bands);
    if (names.join() !== this.#names.join()) this.#refused = null; // of another scene
    this.#names = names;
    this.#judge();
    this.#offer();
  }

  get fault(): Fault | null {
    return this.value ? faultOf(this.#text.value, this.#names) : null;
  }

  /** What the server has against a formula, shown while that is in the field; null: nothing. */
  set refused(refused: Refused | null) {
    this.#refused = refused;
    this.#judge();
  }

  #typed(): void {
    const fault = this.#judge();
    this.#offer();
    this.#changed(this.value, fault);
  }

  #judge(): Fault | null {
    const { fault } = this;
    const refused = this.#refused?.formula === this.value ? this.#refused : null;
    this.#text.setAttribute('aria-invalid', String(fault !== null || refused !== null));
    this.#fault.replaceChildren(...(fault ? this.#explained(fault) : refused ? this.#told(refused) : []));
    return fault;
  }

  /** The formula with the wrong word marked, and what is wrong with it. */
  #explained({ reason, offset, length, hint }: Fault): (Node | string)[] {
    const formula = this.#text.value;
    const word = formula.slice(offset, offset + length);
    const isolated = (name: string): string => (direction === 'rtl' ? `\u2068${name}\u2069` : name);
    const bands = new Intl.ListFormat(locale).format(this.#names.map(isolated));
    const words = `${t(reason, { word, bands })}${hint ? ` ${t('meant', { word: hint })}` : ''}`;
    return [this.#marked(formula, offset, length), h('span', {}, words)];
  }

  #told({ formula, message, offset, length }: Refused): Node[] {
    return [...(offset === null ? [] : [this.#marked(formula, offset, length)]), h('span', {}, message)];
  }

  /** A formula with a part of it marked. */
  #marked(formula: string, offset: number, length: number): HTMLElement {
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
