/** Where a film is shown: on the map, in its place, in front of the imagery. */
import type { CanvasSource } from 'maplibre-gl';

import type { BBox } from '../../geo';
import type { MapView } from '../../map/map';
import { LOWEST_OVER_IMAGERY } from '../../map/reference';

const ID = 'timelapse';

export class Screen {
  readonly #map: MapView;
  readonly #canvas = document.createElement('canvas');

  constructor(map: MapView, [west, south, east, north]: BBox, width: number, height: number) {
    this.#map = map;
    Object.assign(this.#canvas, { width, height });
    const { maplibre } = map;
    maplibre.addSource(ID, { type: 'canvas', canvas: this.#canvas, animate: false, coordinates: [[west, north], [east, north], [east, south], [west, south]] });
    maplibre.addLayer({ id: ID, type: 'raster', source: ID, paint: { 'raster-fade-duration': 0 } }, LOWEST_OVER_IMAGERY);
    map.setOpacity(0); // a pixel that a frame lacks must not show another date
  }

  show(picture: ImageBitmap): void {
    const context = this.#canvas.getContext('2d');
    context?.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    context?.drawImage(picture, 0, 0);
    const source = this.#map.maplibre.getSource<CanvasSource>(ID);
    source?.play(); // takes what the canvas holds now …
    source?.pause(); // … and no more
    this.#map.maplibre.triggerRepaint();
  }

  /** What the middle of the screen shows, for who can't see it. */
  get canvas(): HTMLCanvasElement {
    return this.#canvas;
  }

  remove(opacity: number): void {
    const { maplibre } = this.#map;
    if (maplibre.getLayer(ID)) maplibre.removeLayer(ID);
    if (maplibre.getSource(ID)) maplibre.removeSource(ID);
    this.#map.setOpacity(opacity);
  }
}
