/** The map itself: MapLibre, in a chunk of its own so that the list of scenes need not wait for it. */
import type { Geometry } from 'geojson';
import { Map as MapLibre, ScaleControl, type GeoJSONSource, type LayerSpecification, type PaddingOptions } from 'maplibre-gl';

import { ApiError, problemSentence, type Basemap, type Item, type TileSet } from '../api';
import { polygonOf, unionOf, type BBox } from '../geo';
import type { Camera } from '../link';
import { FIT } from '../mercator';
import { lessMotion } from '../motion';
import type { Projection } from '../store';
import { t } from '../words/shell';
import { areaLayers, showShape } from './area';
import type { Drawing, Drawn, Shape } from './draw';
import { FOOTPRINT_LAYERS, footprintLayers, mark, setFootprints } from './footprints';
import { graticule, graticuleLabels, graticuleLayers, LOWEST_OVER_LAND, stepAt } from './graticule';
import { saver } from '../saver';
import { Imagery } from './imagery';
import { hiddenGroups, keepHidden, keptStorage, MAP_GROUPS, type MapGroup } from './groups';
import { landLayers, lineLayers, nameLayers, registerReference } from './reference';
import { onThemeChange, readPalette, type Palette } from './theme';

export interface MapEvents {
  /** A click or tap, with the keys of the scenes whose outline or dot lies there. */
  onClick: (lon: number, lat: number, keys: string[]) => void;
  onHover: (key: string | null) => void;
  onMove: (camera: Camera) => void;
  onBusy: (busy: boolean) => void;
  onError: (sentence: string) => void;
}

const EMPTY = { type: 'FeatureCollection', features: [] } as const;
const WORLD: [number, number] = [15, 25];
const WORLD_ZOOM = 1.2;

function sampleLayers(palette: Palette): LayerSpecification[] {
  const paint = { 'circle-color': 'transparent', 'circle-radius': 7 };
  const ring = (id: string, width: number, color: string): LayerSpecification => ({
    id,
    type: 'circle',
    source: 'sample',
    paint: { ...paint, 'circle-stroke-width': width, 'circle-stroke-color': color },
  });
  return [ring('sample-casing', 4.5, palette.casing), ring('sample-ring', 2, palette.outline)];
}

function allLayers(palette: Palette): LayerSpecification[] {
  return [
    ...landLayers(palette),
    ...graticuleLayers(palette),
    ...graticuleLabels(palette),
    ...lineLayers(palette),
    ...footprintLayers(palette),
    ...nameLayers(palette),
    ...areaLayers(palette),
    ...sampleLayers(palette),
  ];
}

/** What the library tells of a failed request; the status is missing where there was no answer. */
interface TileFailure {
  status?: number;
  body?: Blob;
}

const inGroup = (id: string, group: MapGroup): boolean => id.startsWith(MAP_GROUPS[group]);

function withHidden(layers: LayerSpecification[], hidden: ReadonlySet<MapGroup>): LayerSpecification[] {
  const isHidden = (id: string): boolean => [...hidden].some((group) => inGroup(id, group));
  return layers.map((each) => (isHidden(each.id) ? { ...each, layout: { ...each.layout, visibility: 'none' } } as LayerSpecification : each));
}

/** What a failed tile request says: the sentence of the server's problem+json where there is one. */
async function tileProblem(error: TileFailure): Promise<string> {
  if (!error.status) return t('tiles-unreachable');
  const body: unknown = await error.body?.text().then(JSON.parse).catch(() => null);
  return t('tiles-failed', { problem: problemSentence(body, error.status) });
}

export class MapView {
  readonly #map: MapLibre;
  readonly #imagery: Imagery;
  readonly #events: MapEvents;
  #items: readonly Item[] = [];
  #hovered: string | null = null;
  #selected: string | null = null;
  #drawing: AbortController | null = null;
  #taker: ((lon: number, lat: number) => void) | null = null;

  private constructor(map: MapLibre, events: MapEvents) {
    this.#map = map;
    this.#events = events;
    this.#imagery = new Imagery(map);
    saver.onChange(() => void this.#imagery.redraw().catch(() => undefined)); // the old tiles stay
    map.on('movestart', () => (saver.sharp = false));
    this.#listen();
    onThemeChange(() => this.#applyPalette());
  }

  /** Resolves when the style is up, so that sources and layers can be added. */
  static async create(
    container: HTMLElement,
    place: Camera | BBox | null,
    padding: PaddingOptions,
    projection: Projection,
    events: MapEvents,
  ): Promise<MapView> {
    const map = new MapLibre({
      container,
      attributionControl: false,
      center: WORLD,
      zoom: WORLD_ZOOM,
      maxZoom: 18,
      maxPitch: 60,
      fadeDuration: lessMotion() ? 0 : 100,
      locale: { 'Map.Title': t('map-keys') },
      style: {
        version: 8,
        projection: { type: projection },
        sky: { 'atmosphere-blend': ['interpolate', ['linear'], ['zoom'], 0, 0.8, 5, 0.6, 7, 0] },
        sources: {
          reference: registerReference(),
          graticule: { type: 'geojson', data: EMPTY as never },
          footprints: { type: 'geojson', data: EMPTY as never, promoteId: 'key' },
          places: { type: 'geojson', data: EMPTY as never, promoteId: 'key' },
          area: { type: 'geojson', data: EMPTY as never },
          sample: { type: 'geojson', data: EMPTY as never },
        },
        layers: withHidden(allLayers(readPalette()), hiddenGroups(keptStorage(), navigator as object)),
      },
    });
    map.setPadding(padding);
    if (Array.isArray(place)) map.jumpTo(map.cameraForBounds(place, FIT) ?? {});
    else if (place) map.jumpTo({ center: [place.lon, place.lat], zoom: place.zoom });
    await new Promise<void>((resolve) => void map.once('style.load', () => resolve()));
    return new MapView(map, events);
  }

  addBasemap({ tiles, maxZoom }: Basemap): void {
    this.#map.addSource('basemap', { type: 'raster', tiles, tileSize: 256, maxzoom: maxZoom });
    this.#map.addLayer({ id: 'basemap', type: 'raster', source: 'basemap' }, LOWEST_OVER_LAND);
  }

  setItems(items: readonly Item[]): void {
    this.#items = items;
    setFootprints(this.#map, items);
  }

  hover(key: string | null): void {
    mark(this.#map, 'hovered', this.#hovered, key);
    this.#hovered = key;
  }

  select(key: string | null): void {
    mark(this.#map, 'selected', this.#selected, key);
    this.#selected = key;
  }

  /**
   * Shows other imagery. Resolves once it is there, with what went wrong if tiles are missing; rejects if none came, and
   * the old imagery stays.
   */
  async showTiles(tiles: TileSet | null): Promise<string | null> {
    try {
      const failure = await this.#imagery.show(tiles);
      return failure ? await tileProblem(failure as TileFailure) : null;
    } catch (failure) {
      throw new ApiError(await tileProblem(failure as TileFailure), null);
    }
  }

  /** What draws pictures in another map, of the same code. */
  imageryOf(map: MapLibre): Imagery {
    return new Imagery(map);
  }

  setOpacity(opacity: number): void {
    this.#imagery.setOpacity(opacity);
  }

  shows(group: MapGroup): boolean {
    return !hiddenGroups(keptStorage(), navigator as object).has(group);
  }

  /** Shows or hides a group of layers, now and at the next visit. */
  setVisible(group: MapGroup, visible: boolean): void {
    for (const id of this.#map.getLayersOrder().filter((each) => inGroup(each, group))) {
      this.#map.setLayoutProperty(id, 'visibility', visible ? 'visible' : 'none');
    }
    const hidden = hiddenGroups(keptStorage(), navigator as object);
    if (visible) hidden.delete(group);
    else hidden.add(group);
    keepHidden(hidden, keptStorage());
  }

  setProjection(projection: Projection): void {
    this.#map.setProjection({ type: projection });
  }

  setSample(place: [number, number] | null): void {
    const features = place
      ? [{ type: 'Feature' as const, properties: {}, geometry: { type: 'Point' as const, coordinates: place } }]
      : [];
    this.#map.getSource<GeoJSONSource>('sample')?.setData({ type: 'FeatureCollection', features });
  }

  showArea(box: BBox | null): void {
    this.showShape(box && polygonOf(box));
  }

  showShape(geometry: Geometry | null): void {
    showShape(this.#map, geometry);
  }

  /** Lets the user draw; null if they stop, or begin another drawing. Meanwhile a click reads no pixel. */
  async draw(shape: Shape, { signal, changed }: Drawing): Promise<Drawn | null> {
    this.#drawing?.abort();
    const mine = new AbortController();
    this.#drawing = mine;
    signal.addEventListener('abort', () => mine.abort());
    if (signal.aborted) mine.abort();
    const { draw } = await import('./draw');
    const drawn = await draw(this.#map, readPalette(), shape, { signal: mine.signal, ...(changed && { changed }) });
    setTimeout(() => { // the click that ended it is still to reach the map
      if (this.#drawing === mine) this.#drawing = null;
    });
    return drawn;
  }

  /** What is to be seen, as far as it is on the globe. */
  view(): BBox {
    const bounds = this.#map.getBounds();
    const { clientWidth: width, clientHeight: height } = this.#map.getContainer();
    const shown = height - (this.#map.getPadding().bottom ?? 0); // a phone's sheet covers what is below
    const south = Math.min(...[0, width].map((x) => this.#map.unproject([x, shown]).lat));
    return [
      Math.max(-180, bounds.getWest()),
      Math.max(-90, bounds.getSouth(), south),
      Math.min(180, bounds.getEast()),
      Math.min(90, bounds.getNorth()),
    ];
  }

  /**
   * Moves to a box and resolves when there, so that no tile is fetched on the way. Users who asked for less motion
   * get a jump.
   */
  async goTo(box: BBox, animate: boolean): Promise<void> {
    const camera = this.#map.cameraForBounds(box, FIT);
    if (!camera) return;
    const arrived = new Promise<void>((resolve) => void this.#map.once('moveend', () => resolve()));
    if (animate) this.#map.flyTo({ ...camera, duration: 900 });
    else this.#map.jumpTo(camera);
    await arrived;
  }

  jumpTo({ lon, lat, zoom }: Camera): void {
    this.#map.jumpTo({ center: [lon, lat], zoom });
  }

  zoomBy(levels: number): void {
    this.#map.easeTo({ zoom: this.#map.getZoom() + levels, duration: 250 });
  }

  northUp(): void {
    this.#map.easeTo({ bearing: 0, pitch: 0, duration: 300 });
  }

  /** A bar that tells how long a kilometre is in the middle of the map. */
  scaleBar(): HTMLElement {
    return new ScaleControl({ maxWidth: 96 }).onAdd(this.#map);
  }

  /** Keeps the middle of the map clear of what lies over it. */
  setPadding(padding: PaddingOptions): void {
    this.#map.setPadding(padding);
  }

  /** The middle of the visible part, in degrees and in pixels of the container. */
  centre(): { lon: number; lat: number; x: number; y: number } {
    const { lng, lat } = this.#map.getCenter();
    const { x, y } = this.#map.project([lng, lat]);
    return { lon: lng, lat, x, y };
  }

  /** The library's own map, for what a tool draws; its layers and sources carry the tool's name. */
  get maplibre(): MapLibre {
    return this.#map;
  }

  /** Until the answer is called, clicks go to the listener alone: no pixel is read, no scene chosen. */
  takeClicks(listener: (lon: number, lat: number) => void): () => void {
    this.#taker = listener;
    return () => {
      if (this.#taker === listener) this.#taker = null;
    };
  }

  get canvas(): HTMLCanvasElement {
    return this.#map.getCanvas();
  }

  extent(): BBox | null {
    return unionOf(this.#items.map((item) => item.bbox));
  }

  /** Calls once, when the user begins to move the map. */
  onFirstMove(listener: () => void): void {
    const began = ({ originalEvent }: { originalEvent?: unknown }): void => {
      if (!originalEvent) return;
      this.#map.off('movestart', began);
      listener();
    };
    this.#map.on('movestart', began);
  }

  onRotate(listener: (bearing: number) => void): void {
    this.#map.on('rotate', () => listener(this.#map.getBearing()));
  }

  #listen(): void {
    const map = this.#map;
    const keysAt = (point: { x: number; y: number }): string[] =>
      map
        .queryRenderedFeatures([point.x, point.y], { layers: FOOTPRINT_LAYERS })
        .map((feature) => String(feature.properties['key']));
    map.on('click', ({ lngLat: { lng, lat }, point }) => {
      if (this.#drawing) return;
      if (this.#taker) this.#taker(lng, lat);
      else this.#events.onClick(lng, lat, keysAt(point));
    });
    map.on('mousemove', (event) => {
      // over the picture no other date's outline is marked: its tint would change the colours
      const keys = keysAt(event.point);
      const key = keys.find((each) => each === this.#selected) ?? keys[0] ?? null;
      if (key !== this.#hovered) this.#events.onHover(key);
    });
    map.on('mouseout', () => this.#events.onHover(null));
    map.on('moveend', () => this.#moved());
    map.on('dataloading', (event) => {
      if ('tile' in event && this.#imagery.owns((event as { sourceId?: string }).sourceId)) this.#events.onBusy(true);
    });
    map.on('idle', () => this.#events.onBusy(false));
    map.on('error', (event) => {
      map.triggerRepaint(); // a failed last tile draws nothing, and without drawing there is no 'idle'
      const { sourceId } = event as { sourceId?: string };
      if (this.#imagery.owns(sourceId) && !this.#imagery.isLoading(sourceId)) {
        void tileProblem(event.error).then(this.#events.onError);
      }
    });
    this.#moved();
  }

  #moved(): void {
    const zoom = this.#map.getZoom();
    const { lng, lat } = this.#map.getCenter();
    const bounds = this.#map.getBounds();
    const view: BBox = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    this.#map.getSource<GeoJSONSource>('graticule')?.setData(graticule(view, stepAt(zoom)));
    this.#events.onMove({ zoom, lat, lon: lng });
  }

  #applyPalette(): void {
    for (const layer of allLayers(readPalette())) {
      for (const [property, value] of Object.entries(layer.paint ?? {})) {
        if (property.endsWith('-color')) this.#map.setPaintProperty(layer.id, property as never, value as never);
      }
    }
  }
}
