/** The raster layer. A new one is drawn over the old one, which goes when the new one is complete: no flash between. */
import type { Map as MapLibre } from 'maplibre-gl';

import { doubled, type TileSet } from '../api';
import { LOWEST_OVER_IMAGERY } from './reference';

const FADE = 150;

interface NetworkInformation {
  saveData?: boolean;
  effectiveType?: string;
}

/** Twice the pixels on dense screens, unless the user or the network asks for few bytes. */
export function wantsDoubled(density: number, network: NetworkInformation | undefined): boolean {
  const slow = network?.saveData === true || /^(slow-2g|2g|3g)$/.test(network?.effectiveType ?? '');
  return density >= 1.5 && !slow;
}

export class Imagery {
  #serial = 0;
  #opacity = 1;
  #shown: TileSet | null = null;
  readonly #map: MapLibre;

  constructor(map: MapLibre) {
    this.#map = map;
  }

  owns(source: unknown): boolean {
    return source === this.#id();
  }

  show(tiles: TileSet | null): void {
    if (tiles?.template === this.#shown?.template) return;
    this.#shown = tiles;
    const old = this.#layers();
    this.#serial += 1;
    if (tiles) this.#add(tiles);
    const remove = (): void => {
      for (const id of old) {
        if (!this.#map.getLayer(id)) continue;
        this.#map.removeLayer(id);
        this.#map.removeSource(id);
      }
    };
    if (tiles && old.length > 0) void this.#map.once('idle', remove);
    else remove();
  }

  setOpacity(opacity: number): void {
    this.#opacity = opacity;
    for (const id of this.#layers()) this.#map.setPaintProperty(id, 'raster-opacity', opacity);
  }

  #id(): string {
    return `imagery-${this.#serial}`;
  }

  #layers(): string[] {
    return this.#map.getLayersOrder().filter((id) => id.startsWith('imagery-'));
  }

  #add(tiles: TileSet): void {
    const network = (navigator as Navigator & { connection?: NetworkInformation }).connection;
    const template = wantsDoubled(devicePixelRatio, network) ? doubled(tiles.template) : tiles.template;
    const id = this.#id();
    this.#map.addSource(id, {
      type: 'raster',
      tiles: [template],
      tileSize: 256,
      bounds: tiles.bounds,
      minzoom: tiles.minZoom,
      maxzoom: tiles.maxZoom,
    });
    const paint = { 'raster-opacity': this.#opacity, 'raster-fade-duration': FADE };
    this.#map.addLayer({ id, type: 'raster', source: id, paint }, LOWEST_OVER_IMAGERY);
  }
}
