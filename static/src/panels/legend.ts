/** What the colours of the picture mean, on the map. */
import type { Legend, StyleClass } from '../api';
import { h } from '../dom';
import { formatValue } from '../format';
import type { Store } from '../store';

function ramp({ minimum, maximum, colors }: Legend): HTMLElement[] {
  const scale = [minimum, (minimum + maximum) / 2, maximum].map((value) => h('span', {}, formatValue(value)));
  return [
    h('div', { class: 'ramp', style: `background: linear-gradient(to right, ${colors.join(', ')})` }),
    h('div', { class: 'scale' }, ...scale),
  ];
}

/** The legend over the range that the picture is drawn in. */
export function stretched(legend: Legend, rendering: Readonly<Record<string, string>>): Legend {
  const [minimum = NaN, maximum = NaN] = (rendering['rescale'] ?? '').split(',').map(Number);
  return maximum > minimum ? { ...legend, minimum, maximum } : legend;
}

function classKey(classes: readonly StyleClass[]): HTMLElement {
  const entries = classes.map(({ title, color }) => h('li', {}, h('i', { style: `background: ${color}`, 'aria-hidden': 'true' }), title));
  return h('ul', { class: 'classes' }, ...entries);
}

export function legendCard(root: HTMLElement, store: Store): void {
  store.watch(['info', 'style', 'rendering'], ({ info, style, rendering }) => {
    const shown = info?.styles.find(({ id }) => id === style);
    root.hidden = !shown || (!shown.legend && shown.classes.length === 0);
    if (!shown) return;
    const key = [...(shown.legend ? ramp(stretched(shown.legend, rendering)) : []), ...(shown.classes.length > 0 ? [classKey(shown.classes)] : [])];
    root.replaceChildren(h('p', { class: 'legend-title' }, shown.title), ...key);
  });
}
