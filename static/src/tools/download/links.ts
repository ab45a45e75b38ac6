/** Addresses to copy into other programs. */
import type { Layer } from '../../api';
import { h } from '../../dom';
import { words } from '../../words/words';
import { copyText } from '../common';
import { addresses, type Address } from './extracts';

type Key = keyof typeof import('../../words/download/en.json');
const t = words<Key>('download');
const SAID = 2000;

function copyRow({ id, title, value }: Address): HTMLElement {
  const field = h('input', { id: `link-${id}`, class: 'address', readonly: true, dir: 'ltr', value, focus: () => field.select() });
  const said = h('span', { class: 'visually-hidden', role: 'status' });
  const button = h('button', { type: 'button' });
  const name = (text: string, label: string): void => {
    button.textContent = text;
    button.setAttribute('aria-label', label); // which begins with what is to be read
  };
  name(t('copy'), t('copy-for', { title }));
  const copy = async (): Promise<void> => {
    const done = await copyText(value);
    if (!done) field.focus(); // no right to the clipboard: the address is selected, to be copied by hand
    const outcome = t(done ? 'copied' : 'selected');
    name(outcome, `${outcome}: ${title}`);
    said.textContent = button.getAttribute('aria-label');
    setTimeout(() => name(t('copy'), t('copy-for', { title })), SAID);
  };
  button.addEventListener('click', () => void copy());
  return h('div', { class: 'link-row' }, h('label', { for: field.id, title: t(id) }, title), field, button, said);
}

export const linkRows = (layer: Layer, rendering: Readonly<Record<string, string>>): HTMLElement[] => addresses(layer, rendering).map(copyRow);
