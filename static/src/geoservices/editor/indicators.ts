/** What is followed: indicators that the collection has bands for, each with its nominal values. */
import { number, objects, text } from '../../api';
import { h } from '../../dom';
import { language, locale } from '../../language';
import { read } from '../api';
import { labelled, removeButton, selectField } from './fields';
import { Nominal } from './nominal';
import { t } from './words';

const MOST = 8;

interface Offer {
  id: string;
  title: string;
  description: string;
}

const usual = new Map<string, Promise<string>>();

async function fetchOffers(collection: string, signal: AbortSignal): Promise<Offer[]> {
  const { body } = await read('pof', { collection, lang: language }, signal);
  return objects(body['documents']).flatMap((each) => {
    const id = text(each['id']);
    return id && each['unit'] !== undefined ? [{ id, title: text(each['title']) ?? id, description: text(each['description']) ?? '' }] : [];
  });
}

/** The range that an indicator is shown in, in words; empty where it has none. */
function rangeWords(id: string): Promise<string> {
  const known = usual.get(id);
  if (known) return known;
  const told = read(`pof/${encodeURIComponent(id)}`).then(({ body }) => {
    const display = typeof body['display'] === 'object' && body['display'] !== null ? (body['display'] as Record<string, unknown>) : {};
    const range = Array.isArray(display['rescale']) ? display['rescale'].flat().map(number) : [];
    const [low, high] = range;
    if (low === null || high === null || low === undefined || high === undefined) return '';
    return t('range', { low: low.toLocaleString(locale), high: high.toLocaleString(locale) });
  });
  told.catch(() => usual.delete(id));
  usual.set(id, told);
  return told;
}

class Row {
  readonly element: HTMLElement;
  readonly select: HTMLSelectElement;
  readonly nominal: Nominal;
  readonly #hint = h('span', { class: 'hint' });
  #offers: readonly Offer[];

  constructor(index: number, offers: readonly Offer[], chosen: string, remove: (() => void) | null) {
    this.#offers = offers;
    const name = `indicators.${index}`;
    this.select = selectField(`${name}.indicator`, offers.map(({ id, title }) => [id, title] as const), chosen);
    this.select.addEventListener('change', () => this.#tell());
    this.nominal = new Nominal(`${name}.nominal`);
    const label = labelled(t('indicator'), this.select);
    label.append(this.#hint);
    const head = h('div', { class: 'row-head' }, label, remove ? removeButton(t('remove-indicator'), remove) : null);
    this.element = h('div', { class: 'form indicator-row', 'data-field': name }, head, this.nominal.element);
    this.#tell();
  }

  #tell(): void {
    const id = this.select.value;
    const offer = this.#offers.find((each) => each.id === id);
    this.#hint.textContent = offer?.description ?? '';
    if (id) void rangeWords(id).then((range) => { if (this.select.value === id && range) this.#hint.textContent = [offer?.description, range].filter(Boolean).join(' '); }, () => undefined);
  }
}

export interface Watched {
  indicator: string;
  nominal: Record<string, unknown>;
}

export class Indicators {
  readonly element: HTMLElement;
  readonly #rows = h('div', { class: 'form' });
  readonly #more: HTMLButtonElement;
  readonly #none = h('p', { class: 'fault', hidden: true }, t('no-indicators'));
  readonly #changed: () => void;
  #offers: readonly Offer[] = [];
  #shown: Row[] = [];

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#more = h('button', { type: 'button', class: 'button', click: () => this.#set([...this.value, { indicator: this.#offers[0]?.id ?? '', nominal: {} }]) }, t('more-indicators'));
    this.element = h('div', { class: 'form' }, this.#none, this.#rows, h('div', { class: 'actions' }, this.#more));
  }

  get value(): Watched[] {
    return this.#shown.map(({ select, nominal }) => ({ indicator: select.value, nominal: nominal.value }));
  }

  /** Offers what a collection has bands for; what was chosen and is offered stays. */
  async offer(collection: string, wanted: readonly Watched[], signal: AbortSignal): Promise<void> {
    const offers = await fetchOffers(collection, signal);
    this.#offers = offers;
    const rest = wanted.filter(({ indicator }) => offers.some(({ id }) => id === indicator));
    const first = offers.find(({ id }) => id === 'ndvi') ?? offers[0];
    this.#none.hidden = first !== undefined;
    this.#more.hidden = first === undefined;
    this.#set(rest.length > 0 || !first ? rest : [{ indicator: first.id, nominal: {} }]);
  }

  #set(all: readonly Watched[]): void {
    this.#shown = all.map(({ indicator, nominal }, index) => {
      const remove = all.length > 1 ? () => this.#set(this.value.filter((_, each) => each !== index)) : null;
      const row = new Row(index, this.#offers, indicator, remove);
      if ('kind' in nominal) row.nominal.value = nominal;
      return row;
    });
    this.#rows.replaceChildren(...this.#shown.map(({ element }) => element));
    this.#more.disabled = all.length >= MOST;
    this.#changed();
  }
}
