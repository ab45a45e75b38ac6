/** A second map over the first, of the same place: another picture in it is compared with that of the first. */
import { Map as MapLibre } from 'maplibre-gl';

import type { TileSet } from '../api';
import type { Imagery } from './imagery';
import type { MapView } from './map';

/** The first map's style without its pictures and drawings. */
function ground(map: MapLibre): ReturnType<MapLibre['getStyle']> {
  const style = map.getStyle();
  const drawn = /^(imagery-|td-|terra-draw)/;
  return {
    ...style,
    layers: style.layers.filter(({ id }) => !drawn.test(id)),
    sources: Object.fromEntries(Object.entries(style.sources).filter(([id]) => !drawn.test(id))),
  };
}

export class Twin {
  readonly #main: MapLibre;
  readonly #map: MapLibre;
  readonly #imagery: Imagery;
  readonly #follow = (): void => this.#copy(this.#main, this.#map);
  #following = false;

  private constructor(main: MapLibre, map: MapLibre, imagery: Imagery) {
    this.#main = main;
    this.#map = map;
    this.#imagery = imagery;
    main.on('move', this.#follow);
    main.on('projectiontransition', this.#follow);
    map.on('move', () => this.#copy(map, main));
    map.on('error', () => map.triggerRepaint()); // a failed last tile draws nothing, and is waited for
    map.getCanvas().tabIndex = -1; // the first map is the one for the keyboard
    this.#follow();
  }

  static async create(main: MapView, container: HTMLElement): Promise<Twin> {
    const { maplibre } = main;
    const map = new MapLibre({
      container,
      attributionControl: false,
      center: maplibre.getCenter(),
      zoom: maplibre.getZoom(),
      maxZoom: maplibre.getMaxZoom(),
      maxPitch: maplibre.getMaxPitch(),
      keyboard: false,
      fadeDuration: 0,
      style: ground(maplibre),
    });
    await new Promise<void>((resolve) => void map.once('style.load', () => resolve()));
    return new Twin(maplibre, map, main.imageryOf(map));
  }

  /** Resolves when the tiles are on the map, with the first that failed if some did; rejects if all failed. */
  async show(tiles: TileSet): Promise<{ status?: number; body?: Blob } | null> {
    const arrived = this.#imagery.show(tiles);
    this.#map.triggerRepaint();
    return (await arrived) as { status?: number; body?: Blob } | null;
  }

  /** After the container, or the first map's, has changed its size. */
  resize(): void {
    this.#main.resize();
    this.#map.resize();
    this.#follow();
  }

  remove(): void {
    this.#main.off('move', this.#follow);
    this.#main.off('projectiontransition', this.#follow);
    this.#map.remove();
  }

  /** Brings one map to where the other is; what it moves does not move it back. */
  #copy(from: MapLibre, to: MapLibre): void {
    if (this.#following) return;
    this.#following = true;
    to.jumpTo({ center: from.getCenter(), zoom: from.getZoom(), bearing: from.getBearing(), pitch: from.getPitch(), padding: from.getPadding() });
    this.#following = false;
  }
}
