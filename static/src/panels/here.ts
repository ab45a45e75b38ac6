/** What is here of scenes of which not all is: in the list, in the head of the panel and on the map. Comes with the first such scene. */
import type { Item } from '../api';
import { byId, h } from '../dom';
import type { MapView } from '../map/map';
import type { State, Store } from '../store';
import { words } from '../words/words';

const t = words<keyof typeof import('../words/here/en.json')>('here');

/** In words; empty where all is here. */
export function hereOf({ here }: Item): string {
  if (!here) return '';
  const areas = here.layers.some((layer) => layer !== 'head' && layer !== 'coarse');
  if (!here.layers.includes('coarse')) return t(areas ? 'area' : 'head');
  return areas ? t('part', { count: Math.min(99, Math.round(100 * here.share)) }) : t('overview');
}

function markList(items: readonly Item[]): void {
  for (const item of items) {
    const detail = byId('scenes').querySelector(`[data-key="${CSS.escape(item.key)}"] .scene-detail`);
    if (item.here && detail) detail.after(h('span', { class: 'scene-detail here' }, hereOf(item)));
  }
}

/** Dashes the outlines of scenes of which not all is here. */
function markMap({ maplibre }: MapView, store: Store): void {
  const color = getComputedStyle(document.documentElement).getPropertyValue('--map-casing').trim();
  maplibre.addLayer({ id: 'footprint-missing', type: 'line', source: 'footprints', filter: ['literal', false], paint: { 'line-color': color, 'line-width': 2.5, 'line-dasharray': [2, 2] } }, 'footprint-dot');
  store.watch(['items'], ({ items }) => {
    const keys = items.filter(({ here }) => here).map(({ key }) => key);
    maplibre.setFilter('footprint-missing', ['in', ['get', 'key'], ['literal', keys]]);
  });
}

export function tellHere(store: Store, map: Promise<MapView | null>): void {
  const inPanel = h('p', { class: 'sub here' });
  const onMap = h('div', { class: 'legend here', role: 'status' });
  byId('view').querySelector('.sub')?.after(inPanel);
  byId('legend').after(onMap);
  store.watch(['items', 'collections', 'catalogue', 'matched', 'next'], ({ items }) => markList(items)); // as the list is made anew
  const show = ({ item, layer }: State): void => {
    const said = item && layer && 'item' in layer ? hereOf(item) : '';
    for (const element of [inPanel, onMap]) {
      element.textContent = said;
      element.hidden = !said;
    }
  };
  store.watch(['item', 'layer'], show);
  void map.then((view) => view && markMap(view, store));
}
