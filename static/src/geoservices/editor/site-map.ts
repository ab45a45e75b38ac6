/** The map on which sites are drawn: newest scenes of a collection under them. It is a chunk that comes when it is needed. */
import type { Geometry } from 'geojson';

import { fetchConfig, fetchTileSet, withRendering } from '../../api';
import type { BBox } from '../../geo';
import type { MapView } from '../../map/map';

/** Bright enough for forests, as pictures of alerts are. */
const LOOK = { style: 'true-color', color_formula: 'gamma rgb 2' } as const;

export class SiteMap {
  readonly #view: Promise<MapView>;
  readonly #complain: (error: unknown) => void;
  #collection = '';

  constructor(container: HTMLElement, place: BBox | null, complain: (error: unknown) => void) {
    this.#complain = complain;
    this.#view = this.#create(container, place);
    this.#view.catch(complain);
  }

  async #create(container: HTMLElement, place: BBox | null): Promise<MapView> {
    const [{ MapView }, config] = await Promise.all([import('../../map/map'), fetchConfig().catch(() => null)]);
    void import('../../map/draw'); // there when the first point is set
    const nothing = (): void => undefined;
    const padding = { top: 0, right: 0, bottom: 0, left: 0 };
    const view = await MapView.create(container, place, padding, 'mercator', { onClick: nothing, onHover: nothing, onMove: nothing, onBusy: nothing, onError: nothing });
    if (config?.basemap) view.addBasemap(config.basemap);
    return view;
  }

  /** Shows the newest scenes of a collection, and goes there. */
  async show(collection: string, go: boolean, signal: AbortSignal): Promise<void> {
    this.#collection = collection;
    try {
      const [view, tiles] = await Promise.all([this.#view, fetchTileSet({ collection, until: null, pixels: 'clear' }, signal)]);
      if (signal.aborted || this.#collection !== collection) return;
      if (go) await view.goTo(tiles.bounds, false);
      // of radar, and of scenes without these bands, what the server shows by itself
      await view.showTiles({ ...tiles, template: withRendering(tiles.template, LOOK) }).catch(() => view.showTiles(tiles));
    } catch (error) {
      if (!signal.aborted) this.#complain(error);
    }
  }

  async outline(geometry: Geometry | null, box: BBox | null): Promise<void> {
    const view = await this.#view;
    view.showShape(geometry);
    if (box) await view.goTo(box, false);
  }

  async draw(shape: 'polygon' | 'rectangle', signal: AbortSignal): Promise<Geometry | null> {
    return (await this.#view).draw(shape, { signal });
  }

  async zoomBy(levels: number): Promise<void> {
    (await this.#view).zoomBy(levels);
  }

  async close(): Promise<void> {
    (await this.#view).maplibre.remove();
  }
}
