/** Fields of the forms, by the names that the server has for them (`data-field`). */
import { h } from '../../dom';
import { LANGUAGES } from '../../language';
import { t, type Key } from './words';

export type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
type Attributes = Record<string, string | number | boolean | null>;

export function labelled(label: string, field: HTMLElement, hint = ''): HTMLLabelElement {
  return h('label', {}, label, field, hint ? h('span', { class: 'hint' }, hint) : null);
}

export const textField = (name: string, attributes: Attributes = {}): HTMLInputElement => h('input', { type: 'text', 'data-field': name, ...attributes });

/** Empty is none: what it means is the server's. */
export const numberField = (name: string, attributes: Attributes = {}): HTMLInputElement =>
  h('input', { type: 'number', step: 'any', inputmode: 'decimal', dir: 'ltr', 'data-field': name, ...attributes });

export function selectField(name: string, options: readonly (readonly [string, string])[], chosen = ''): HTMLSelectElement {
  return h('select', { 'data-field': name }, ...options.map(([value, words]) => h('option', { value, selected: value === chosen }, words)));
}

export const languageField = (name: string, chosen: string): HTMLSelectElement =>
  h('select', { 'data-field': name }, ...Object.entries(LANGUAGES).map(([id, own]) => h('option', { value: id, lang: id, selected: id === chosen }, own)));

export const severityField = (name: string, chosen = 1): HTMLSelectElement =>
  selectField(name, ([1, 2, 3] as const).map((each) => [String(each), t(`severity-${each}` as Key)] as const), String(chosen));

/** The number of a field; undefined where it is empty, so that it is left out of what is sent. */
export const numberOf = (field: HTMLInputElement): number | undefined => (field.value === '' ? undefined : field.valueAsNumber);

export const removeButton = (label: string, click: () => void): HTMLButtonElement => h('button', { type: 'button', class: 'button', 'aria-label': label, title: label, click }, '×');
