/** Buttons over the map. */
import { h, icon } from '../dom';
import type { MapView } from '../map/map';
import type { Store } from '../store';
import { t } from '../words/shell';

const GLOBE = 'M10 2.5a7.5 7.5 0 1 0 0 15a7.5 7.5 0 1 0 0-15M2.5 10h15M10 2.5c4 3.5 4 11.5 0 15M10 2.5c-4 3.5-4 11.5 0 15';

export function mapControls(root: HTMLElement, store: Store, map: MapView): void {
  const button = (label: string, path: string, click: () => void): HTMLButtonElement =>
    h('button', { type: 'button', 'aria-label': label, title: label, click }, icon(path));
  const globe = button(t('globe'), GLOBE, () =>
    store.update({ projection: store.state.projection === 'globe' ? 'mercator' : 'globe' }),
  );
  globe.id = 'globe';
  const north = button(t('north-up'), 'M10 2l4.5 15.5L10 14l-4.5 3.5z', () => map.northUp());
  north.hidden = true;
  map.onRotate((bearing) => {
    north.hidden = Math.abs(bearing) < 0.5;
    north.style.setProperty('--bearing', `${-bearing}deg`);
  });
  store.watch(['projection'], ({ projection }) => globe.setAttribute('aria-pressed', String(projection === 'globe')));
  root.append(
    button(t('zoom-in'), 'M10 4v12M4 10h12', () => map.zoomBy(1)),
    button(t('zoom-out'), 'M4 10h12', () => map.zoomBy(-1)),
    globe,
    north,
  );
}
