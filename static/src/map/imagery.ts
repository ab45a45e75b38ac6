/**
 * The raster layer. A new picture is loaded unseen behind the old one and takes its place when all of it has arrived:
 * the map never shows two dates at once, nor a date that failed to load.
 */
import type { ErrorEvent, Map as MapLibre } from 'maplibre-gl';

import { doubled, type TileSet } from '../api';
import { lessMotion } from '../motion';
import { saver } from '../saver';
import { LOWEST_OVER_IMAGERY } from './reference';

const FADE = 150;
/** Pixels of a tile's side. */
const TILE = 256;

/** Twice the pixels on dense screens, unless data are saved. */
export const wantsDoubled = (density: number, saving: boolean): boolean => density >= 1.5 && !saving;

/** What the map tells of a source: its tiles as they come, and as they fail. */
interface SourceEvent {
  sourceId?: string;
  tile?: unknown;
}

export class Imagery {
  #serial = 0;
  #opacity = 1;
  #shown: { id: string; tiles: TileSet } | null = null;
  #loading: { id: string; stop: () => void } | null = null;
  readonly #map: MapLibre;

  constructor(map: MapLibre) {
    this.#map = map;
  }

  /** Whether a source's tiles are those of the picture shown or of the one to come. */
  owns(source: unknown): boolean {
    return source !== undefined && (source === this.#shown?.id || this.isLoading(source));
  }

  isLoading(source: unknown): boolean {
    return source !== undefined && source === this.#loading?.id;
  }

  /**
   * Shows other tiles. Resolves once they are on the map, with the first tile that failed if some did; rejects with
   * that failure if all of them failed, and the old picture stays. A later call makes an earlier one resolve with null.
   */
  async show(tiles: TileSet | null): Promise<ErrorEvent['error'] | null> {
    this.#loading?.stop();
    if (tiles?.template === this.#shown?.tiles.template) return null;
    if (!tiles) {
      this.#replace(null);
      return null;
    }
    const id = `imagery-${(this.#serial += 1)}`;
    this.#add(id, tiles, this.#shown === null);
    const outcome = await this.#arrival(id);
    if (outcome === 'stopped') return null;
    if (outcome.arrived === 0 && outcome.failure) {
      this.#remove(id);
      throw outcome.failure;
    }
    this.#replace({ id, tiles });
    return outcome.failure;
  }

  /** Fetches what is shown anew, after the data saver has been switched. */
  async redraw(): Promise<void> {
    const shown = this.#shown;
    if (!shown || this.#loading) return;
    this.#shown = { id: shown.id, tiles: { ...shown.tiles, template: '' } };
    await this.show(shown.tiles);
  }

  setOpacity(opacity: number): void {
    this.#opacity = opacity;
    if (this.#shown) this.#map.setPaintProperty(this.#shown.id, 'raster-opacity', opacity);
  }

  /** Waits until every tile of a source that the view needs has come or failed. */
  #arrival(id: string): Promise<{ arrived: number; failure: ErrorEvent['error'] | null } | 'stopped'> {
    const map = this.#map;
    const outcome = { arrived: 0, failure: null as ErrorEvent['error'] | null };
    return new Promise((resolve) => {
      const came = ({ sourceId, tile }: SourceEvent): void => {
        if (sourceId === id && tile) outcome.arrived += 1;
      };
      const failed = (event: ErrorEvent & SourceEvent): void => {
        if (event.sourceId === id) outcome.failure ??= event.error;
      };
      const look = (): void => {
        if (map.isSourceLoaded(id)) end(outcome);
      };
      const end = (result: typeof outcome | 'stopped'): void => {
        map.off('sourcedata', came);
        map.off('error', failed);
        map.off('render', look);
        this.#loading = null;
        if (result === 'stopped') this.#remove(id);
        resolve(result);
      };
      this.#loading = { id, stop: () => end('stopped') };
      map.on('sourcedata', came);
      map.on('error', failed);
      map.on('render', look);
    });
  }

  #replace(next: { id: string; tiles: TileSet } | null): void {
    const old = this.#shown;
    this.#shown = next;
    this.setOpacity(this.#opacity);
    if (old) this.#remove(old.id);
  }

  #remove(id: string): void {
    if (!this.#map.getLayer(id)) return;
    this.#map.removeLayer(id);
    this.#map.removeSource(id);
  }

  #add(id: string, tiles: TileSet, visible: boolean): void {
    const { saving } = saver;
    const template = wantsDoubled(devicePixelRatio, saving) ? doubled(tiles.template) : tiles.template;
    this.#map.addSource(id, {
      type: 'raster',
      tiles: [template],
      tileSize: saving ? 2 * TILE : TILE, // half the pixels a side are a quarter of the tiles
      bounds: tiles.bounds,
      minzoom: tiles.minZoom,
      maxzoom: tiles.maxZoom,
    });
    const paint = {
      'raster-opacity': visible ? this.#opacity : 0,
      'raster-opacity-transition': { duration: 0, delay: 0 },
      'raster-fade-duration': visible && !lessMotion() ? FADE : 0,
    };
    this.#map.addLayer({ id, type: 'raster', source: id, paint }, LOWEST_OVER_IMAGERY);
  }
}
