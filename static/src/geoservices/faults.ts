/** What is wrong with a form, by the server: each sentence beside the field that it is about. */
import { ApiError, isObject, objects, text } from '../api';
import { h } from '../dom';

export interface Fault {
  /** As `indicators.0.nominal.low`; empty where it is about the whole. */
  field: string;
  sentence: string;
}

/** The server's own sentences of a field begin with its name. */
const NAMED = /^([a-z_]+(?:\.[a-z0-9_]+)*): (.+)$/s;

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

export function faultsOf(error: unknown): Fault[] {
  if (!(error instanceof ApiError)) return [];
  const body = isObject(error.problem) ? error.problem : {};
  const told = objects(body['errors']).map((each) => ({ field: text(each['name']) ?? '', sentence: capital(text(each['detail']) ?? error.message) }));
  if (told.length > 0) return told;
  const named = NAMED.exec(text(body['detail']) ?? '');
  return [named ? { field: named[1] ?? '', sentence: capital(named[2] ?? '') } : { field: '', sentence: error.message }];
}

const FAULT = 'field-fault';

export function clearFaults(form: HTMLElement): void {
  for (const each of form.querySelectorAll(`.${FAULT}`)) each.remove();
  for (const each of form.querySelectorAll('[aria-invalid]')) {
    each.removeAttribute('aria-invalid');
    each.removeAttribute('aria-describedby');
  }
}

/** How much of a name a fault is about, in parts; 0 where it is about something else. */
function match(name: string, field: string): number {
  const [wanted, parts] = [field.split('.'), name.split('.')];
  return parts.length <= wanted.length && parts.every((part, index) => part === wanted[index]) ? parts.length : 0;
}

/** Puts each fault under the field of its name (`data-field`); answers those that no field has. */
export function showFaults(form: HTMLElement, faults: readonly Fault[]): Fault[] {
  clearFaults(form);
  const fields = [...form.querySelectorAll<HTMLElement>('[data-field]')];
  const left: Fault[] = [];
  let first: HTMLElement | null = null;
  for (const [number, fault] of faults.entries()) {
    const best = fields.map((each) => ({ each, parts: match(each.dataset['field'] ?? '', fault.field) })).sort((a, b) => b.parts - a.parts)[0];
    if (!best || best.parts === 0) {
      left.push(fault);
      continue;
    }
    const id = `fault-${number}`;
    best.each.setAttribute('aria-invalid', 'true');
    best.each.setAttribute('aria-describedby', id);
    const words = h('p', { class: FAULT, id }, fault.sentence);
    (best.each.closest('label') ?? best.each).after(words);
    best.each.closest('details')?.setAttribute('open', '');
    first ??= best.each;
  }
  first?.focus();
  first?.scrollIntoView({ block: 'center' });
  return left;
}
