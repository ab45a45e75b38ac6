/** What lies on the map, and how strongly: imagery, outlines of scenes, grid, borders and names. */
import { h } from '../../dom';
import type { MapGroup } from '../../map/groups';
import { addSheet } from '../../sheets';
import type { Store } from '../../store';
import { words } from '../../words/words';
import type { Context, ToolPanel } from '../registry';
import css from './layers.css';

type Key = keyof typeof import('../../words/layers/en.json');
const t = words<Key>('layers');
const GROUPS: readonly MapGroup[] = ['footprints', 'reference', 'graticule'];

addSheet(css);

function opacity(store: Store): HTMLElement {
  const output = h('output', { for: 'opacity' });
  const input = (): void => store.update({ opacity: Number(range.value) / 100 });
  const range = h('input', { type: 'range', id: 'opacity', min: 0, max: 100, step: 5, input });
  store.watch(['opacity'], (state) => {
    const percent = t('percent', { count: Math.round(state.opacity * 100) });
    range.value = String(Math.round(state.opacity * 100));
    range.setAttribute('aria-valuetext', percent);
    output.textContent = percent;
  });
  return h('div', { class: 'opacity' }, h('label', { for: 'opacity' }, t('opacity')), range, output);
}

export function create({ store, map }: Context): ToolPanel {
  const switches = GROUPS.map((group) => {
    const change = (): void => void map.then((view) => view?.setVisible(group, box.checked));
    const box = h('input', { type: 'checkbox', checked: true, change });
    void map.then((view) => (box.checked = view?.shows(group) ?? true));
    return h('label', { class: 'switch' }, box, t(group));
  });
  const element = h('div', { class: 'layers' }, opacity(store), ...switches);
  return { element, open: () => undefined, close: () => undefined };
}
