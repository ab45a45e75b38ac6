/** Of a mosaic: over which period, and which of the pixels that its scenes have at a place. */
import { PIXELS, type Mosaic } from '../api';
import { h } from '../dom';
import { isoDay } from '../format';
import type { Store } from '../store';
import { t as shell } from '../words/shell';
import { words } from '../words/words';

const t = words<keyof typeof import('../words/period/en.json')>('period');

const DAY = 86_400_000;
const NEWEST = 'newest';

/** The mosaic with its period ending at another day: a period that has a beginning keeps its length. */
export function movedTo(layer: Mosaic, until: string): Mosaic {
  const { from, until: before } = layer;
  if (!from) return { ...layer, until };
  const length = before === null ? 0 : Date.parse(before) - Date.parse(from);
  const begins = before === null && from <= until ? from : isoDay(new Date(Date.parse(until) - Math.max(length, DAY)));
  return { ...layer, until, from: begins };
}

const mosaicOf = ({ layer, pending }: Store['state']): Mosaic | null => {
  const shown = pending?.layer ?? layer;
  return shown && !('item' in shown) ? shown : null;
};

/** A form that is there while a mosaic is shown. */
export function periodForm(store: Store, show: (layer: Mosaic) => void): HTMLFormElement {
  const option = (value: string): HTMLElement => h('option', { value }, value === NEWEST ? t('pixels-newest') : shell(`pixels-${value}` as 'pixels-median'));
  const pixels = h('select', { 'aria-label': t('pixels') }, ...[NEWEST, ...PIXELS].map(option));
  const from = h('input', { type: 'date', 'aria-label': t('period-from') });
  const to = h('input', { type: 'date', 'aria-label': t('period-to') });
  const said = h('p', { class: 'hint', role: 'status' });
  const apply = (): void => {
    const mosaic = mosaicOf(store.state);
    if (!mosaic) return;
    const odd = from.value !== '' && to.value !== '' && to.value < from.value;
    said.textContent = odd ? t('odd-period') : '';
    if (odd) return;
    const chosen = PIXELS.find((each) => each === pixels.value);
    show({ collection: mosaic.collection, until: to.value || null, ...(from.value && { from: from.value }), ...(chosen && { pixels: chosen }) });
  };
  const whole = h('button', { type: 'button', class: 'text-button', click: () => {
    [from.value, to.value] = ['', ''];
    apply();
  } }, t('whole-period'));
  const dates = h('div', { class: 'dates' }, from, h('span', { 'aria-hidden': 'true' }, '–'), to, whole);
  const form = h('form', { class: 'filter period', 'aria-label': t('period'), change: apply, submit: (event: Event) => event.preventDefault() }, pixels, dates, said);
  store.watch(['layer', 'pending'], (state) => {
    const mosaic = mosaicOf(state);
    form.hidden = mosaic === null;
    if (!mosaic) return;
    pixels.value = mosaic.pixels ?? NEWEST;
    from.value = mosaic.from ?? '';
    to.value = mosaic.until ?? '';
    whole.hidden = !mosaic.from && !mosaic.until;
  });
  return form;
}
