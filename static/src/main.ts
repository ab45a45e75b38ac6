/** Puts the page together. The map is a chunk of its own: the list appears without waiting for it. */
import { fetchConfig, fetchItem, type Item } from './api';
import { byId, h } from './dom';
import { FirstPicture, sceneOfPage } from './first';
import type { BBox } from './geo';
import { parseLink, type Link } from './link';
import type { MapView } from './map/map';
import { cloudsOverView } from './panels/clouds';
import { mapControls } from './panels/controls';
import { foldButton, languageMenu } from './panels/frame';
import { legendCard } from './panels/legend';
import { meterPanel } from './panels/meter';
import { busyBar, notices } from './panels/notices';
import { PixelPanel } from './panels/pixel';
import { scenesPanel } from './panels/scenes';
import { Sheet } from './panels/sheet';
import { stylesPanel } from './panels/styles';
import { Timeline } from './panels/timeline';
import { viewPanel } from './panels/view';
import { initialState, Store } from './store';
import { direction, language } from './language';
import { Toolbar } from './tools/toolbar';
import { Viewer } from './viewer';
import { t } from './words/shell';
import { loadWords, withWords } from './words/words';

/** Where the first scene lies, once it is known: the map begins there, and fetches nothing for elsewhere. */
function firstPlace(): Promise<BBox | null> {
  return new Promise((resolve) =>
    store.watch(['pending', 'items', 'catalogue', 'error'], ({ pending, items, catalogue, error }) => {
      const item = pending?.item;
      const nothing = catalogue === 'failed' || (catalogue === 'ready' && items.length === 0) || error !== null;
      if (item || nothing) resolve(item?.bbox ?? null);
    }),
  );
}

/** The scene to begin with, where it is known before the catalogue is: of the link, else of the page. */
async function beginWith({ layer, camera }: Link): Promise<Item | null> {
  if (layer && 'item' in layer) return fetchItem(layer.collection, layer.item).catch(() => null); // told when it is followed
  return layer || camera ? null : sceneOfPage();
}

async function showFirstPicture(): Promise<void> {
  const item = await beginning;
  if (!item) return;
  const { clientWidth, clientHeight } = byId('map');
  const { left, top, right, bottom } = sheet.padding;
  const frame = { left, top, width: clientWidth - left - right, height: clientHeight - top - bottom };
  const seen = picture.show(byId('map'), item, link, frame);
  // the map's code is some twenty times heavier: the rest of it waits for the picture, the most of it comes meanwhile
  setTimeout(() => document.head.append(byId<HTMLTemplateElement>('map-code').content));
  await seen;
}

/** Milliseconds after which the page gets ready to be opened without a link. */
const OFFLINE_AFTER = 3000;

function startMap(): Promise<MapView | null> {
  const create = async (): Promise<MapView> => {
    await firstPicture;
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
    store.update({ tilesLoading: false, error: t('no-webgl') });
    return null;
  });
}

/** Keeps the middle of the map where the panel doesn't cover it. */
function layOut(map: MapView | null): void {
  document.documentElement.style.setProperty('--covered', `${sheet.covers}px`);
  placeParts();
  if (!map) return;
  map.setPadding(sheet.padding);
  const { x, y } = map.centre();
  byId('crosshair').style.translate = `${x}px ${y}px`;
}

function connectMap(map: MapView): void {
  map.onFirstMove(() => picture.remove());
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
  byId('scale').append(map.scaleBar());
}

async function followConfig(): Promise<void> {
  const config = await fetchConfig().catch(() => null);
  if (config?.geoservices) byId('language').prepend(h('a', { class: 'text-button', href: 'follow' }, t('geoservices')));
  const map = await mapStarted;
  if (config?.relay) withWords('relay', import('./relay/panel')).then(({ relayPanel }) => relayPanel(byId('corner')), console.warn);
  const basemap = config?.basemap;
  if (!basemap || !map) return;
  map.addBasemap(basemap);
  byId('basemap-attribution').textContent = basemap.attribution ? ` · ${t('basemap', { credit: basemap.attribution })}` : '';
}

/** Says what index.html marks: `data-t` is the key of a text, `data-t-label` that of a label. */
function translatePage(): void {
  document.documentElement.lang = language;
  document.documentElement.dir = direction;
  const each = (name: string, say: (element: HTMLElement, words: string) => void): void => {
    for (const element of document.querySelectorAll<HTMLElement>(`[${name}]`)) say(element, t(element.getAttribute(name) as Parameters<typeof t>[0]));
  };
  each('data-t', (element, words) => (element.textContent = words));
  each('data-t-label', (element, words) => element.setAttribute('aria-label', words));
}

/** On a phone the strip of dates lies in the sheet, else along the map. */
function placeParts(): void {
  if (sheet.active) byId('view').after(byId('strip'));
  else byId('stage').append(byId('strip'));
  byId(sheet.active ? 'panel-body' : 'brand').append(byId('language'));
}

async function choose(key: string): Promise<void> {
  const { layer, series } = store.state;
  const item = series.find((each) => each.key === key);
  if (layer && !('item' in layer)) await viewer.mosaic((await import('./panels/period')).movedTo(layer, key));
  else if (item) await viewer.show(item, { move: 'stay' });
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

const link = parseLink(location.hash);
const beginning = beginWith(link);
await loadWords('shell');
translatePage();
const store = new Store({ ...initialState(), style: link.style, opacity: link.opacity, projection: link.projection, extras: link.extras });
/** What says that not all of a scene is here comes with the first such scene. */
function tellWhatIsHere(): void {
  let asked = false;
  store.watch(['items', 'item'], ({ items, item }) => {
    if (asked || !(item?.here || items.some(({ here }) => here))) return;
    asked = true;
    withWords('here', import('./panels/here')).then(({ tellHere }) => tellHere(store, mapStarted), console.warn);
  });
}

const sheet = new Sheet(byId('panel'), byId<HTMLButtonElement>('handle'), () => void mapStarted.then(layOut));
const picture = new FirstPicture();
const firstPicture = showFirstPicture();
const mapStarted = startMap();
const pixel = new PixelPanel(byId('pixel'), () => {
  viewer.forgetPixel();
  void mapStarted.then((map) => map?.setSample(null));
});
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
  mosaic: (layer) => void viewer.mosaic(layer),
  fit: () => void viewer.fit(),
});
stylesPanel(byId('styles'), store, mapStarted, (id) => void viewer.setStyle(id));
legendCard(byId('legend'), store);
new Timeline(byId('strip'), store, { choose, second: (second) => store.update({ second }) });
languageMenu(byId('language'));
foldButton(byId('toolbar'), store);
meterPanel(byId<HTMLDetailsElement>('meter'), store);
store.watch(['credit'], ({ credit }) => (byId('credit').textContent = credit ? `${credit} · ` : ''));
cloudsOverView(store, mapStarted);
notices(store);
busyBar(store);
placeParts();
tellWhatIsHere();
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') void escape();
});
void mapStarted.then((map) => {
  if (map) connectMap(map);
});
store.watch(['layer', 'error'], ({ layer, error }) => {
  if (layer || error) picture.remove();
});
// The list comes after the picture, as the map does: on a slow link they would hold it up
void Promise.all([beginning, firstPicture]).then(([item]) => viewer.start(link, item));
void followConfig();
toolbar.openFromLink();
// once there is nothing more urgent to fetch
void mapStarted.then(() => setTimeout(() => void import('./offline/offline').then(({ startOffline }) => startOffline()).catch(console.warn), OFFLINE_AFTER));
