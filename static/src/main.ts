/** Puts the page together. The map is a chunk of its own: the list appears without waiting for it. */
import { fetchBasemap } from './api';
import { byId, h, icon } from './dom';
import type { BBox } from './geo';
import { parseLink } from './link';
import type { MapView } from './map/map';
import { mapControls } from './panels/controls';
import { elsewherePanel } from './panels/elsewhere';
import { meterPanel } from './panels/meter';
import { PixelPanel } from './panels/pixel';
import { scenesPanel } from './panels/scenes';
import { Sheet } from './panels/sheet';
import { viewPanel } from './panels/view';
import { initialState, Store } from './store';
import { direction, language } from './language';
import { Toolbar } from './tools/toolbar';
import { Viewer } from './viewer';
import { loadWords } from './words/words';

/** Work shorter than this isn't worth telling. */
const PATIENCE = 150;
const NO_WEBGL = 'This browser cannot draw the map: it needs WebGL 2. The list of scenes still works.';

/** Where the first scene lies, once it is known: the map begins there, and fetches nothing for elsewhere. */
function firstPlace(): Promise<BBox | null> {
  return new Promise((resolve) =>
    store.watch(['item', 'items', 'catalogue', 'error'], ({ item, items, catalogue, error }) => {
      const nothing = catalogue === 'failed' || (catalogue === 'ready' && items.length === 0) || error !== null;
      if (item || nothing) resolve(item?.bbox ?? null);
    }),
  );
}

function startMap(): Promise<MapView | null> {
  const create = async (): Promise<MapView> => {
    const [{ MapView }, place] = await Promise.all([import('./map/map'), link.camera ?? firstPlace()]);
    return MapView.create(byId('map'), place, sheet.padding, store.state.projection, {
      onClick: (lon, lat, keys) => void viewer.click(lon, lat, keys),
      onHover: (key) => store.update({ hovered: key }),
      onMove: (camera) => viewer.moved(camera),
      onBusy: (tilesLoading) => store.update({ tilesLoading }),
      onError: (error) => store.update({ error }),
    });
  };
  return create().catch((error: unknown) => {
    console.warn(error);
    store.update({ error: NO_WEBGL });
    return null;
  });
}

/** Keeps the middle of the map where the panel doesn't cover it. */
function layOut(map: MapView | null): void {
  document.documentElement.style.setProperty('--covered', `${sheet.covers}px`);
  if (!map) return;
  map.setPadding(sheet.padding);
  const { x, y } = map.centre();
  byId('crosshair').style.translate = `${x}px ${y}px`;
}

function connectMap(map: MapView): void {
  layOut(map);
  addEventListener('resize', () => layOut(map));
  mapControls(byId('controls'), store, map);
  map.canvas.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    const { lon, lat } = map.centre();
    void viewer.read(lon, lat);
  });
  byId('skip').addEventListener('click', (event) => {
    event.preventDefault();
    map.canvas.focus();
  });
  store.watch(['items'], ({ items }) => map.setItems(items));
  store.watch(['item'], ({ item }) => map.select(item?.key ?? null));
  store.watch(['hovered'], ({ hovered }) => map.hover(hovered));
  store.watch(['opacity'], ({ opacity }) => map.setOpacity(opacity));
  store.watch(['projection'], ({ projection }) => map.setProjection(projection));
}

async function startBasemap(): Promise<void> {
  const basemap = await fetchBasemap().catch(() => null);
  const map = await mapStarted;
  if (!basemap || !map) return;
  map.addBasemap(basemap);
  byId('basemap-attribution').textContent = basemap.attribution ? ` · Basemap: ${basemap.attribution}` : '';
}

function showNotice(sentence: string | null): void {
  const dismiss = (): void => store.update({ error: null });
  const close = h('button', { type: 'button', class: 'round', 'aria-label': 'Dismiss', click: dismiss }, icon('M5 5l10 10M15 5L5 15'));
  const notice = byId('notice');
  notice.hidden = sentence === null;
  notice.replaceChildren(...(sentence ? [h('p', {}, sentence), close] : []));
}

function showBusy(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  store.watch(['tilesLoading'], ({ tilesLoading }) => {
    byId('stage').ariaBusy = String(tilesLoading);
    clearTimeout(timer);
    if (tilesLoading) timer = setTimeout(() => (byId('progress').hidden = false), PATIENCE);
    else byId('progress').hidden = true;
  });
}

/** Escape closes one thing at a time, the topmost first. */
async function escape(): Promise<void> {
  if (pixel.open) {
    pixel.close();
    (await mapStarted)?.canvas.focus({ preventScroll: true });
  } else if (toolbar.isOpen) toolbar.close();
  else if (store.state.error) store.update({ error: null });
  else if (sheet.active) sheet.set('peek');
}

document.documentElement.lang = language;
document.documentElement.dir = direction;
await loadWords('shell');
const link = parseLink(location.hash);
const store = new Store({ ...initialState(), style: link.style, opacity: link.opacity, projection: link.projection, extras: link.extras });
const sheet = new Sheet(byId('panel'), byId<HTMLButtonElement>('handle'), () => void mapStarted.then(layOut));
const mapStarted = startMap();
const pixel = new PixelPanel(byId('pixel'), () => void mapStarted.then((map) => map?.setSample(null)));
const viewer = new Viewer(store, pixel, mapStarted);
const toolbar = new Toolbar(byId('toolbar'), byId('tool'), byId('stage'), { store, viewer, map: mapStarted });

scenesPanel(byId('scenes'), store, {
  show: (item) => void viewer.show(item, { move: 'fly' }),
  filter: (filter) => void viewer.filter(filter),
  more: () => void viewer.more(),
  reload: () => void viewer.reload(),
});
viewPanel(byId('view'), store, {
  show: (item) => void viewer.show(item, { move: 'stay' }),
  mosaic: (collection, until) => void viewer.mosaic(collection, until),
  style: (id) => void viewer.setStyle(id),
  fit: () => void viewer.fit(),
});
elsewherePanel(byId<HTMLDetailsElement>('elsewhere'), store, mapStarted);
meterPanel(byId<HTMLDetailsElement>('meter'), store);
store.watch(['credit'], ({ credit }) => (byId('credit').textContent = credit ? `${credit} · ` : ''));
store.watch(['error'], ({ error }) => showNotice(error));
showBusy();
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') void escape();
});
void mapStarted.then((map) => {
  if (map) connectMap(map);
});
void viewer.start(link);
void startBasemap();
toolbar.openFromLink();
