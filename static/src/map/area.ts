/** A rectangle on the map: drawn with the pointer, shown once it is known. */
import type { Polygon } from 'geojson';
import type { GeoJSONSource, LayerSpecification, LngLat, Map as MapLibre } from 'maplibre-gl';

import type { BBox } from '../geo';
import type { Palette } from './theme';

/** A rectangle narrower than this many pixels is a slip. */
const SLIP = 4;

export function areaLayers(palette: Palette): LayerSpecification[] {
  const line = (id: string, width: number, color: string): LayerSpecification => ({
    id,
    type: 'line',
    source: 'area',
    paint: { 'line-color': color, 'line-width': width, 'line-dasharray': id === 'area-line' ? [2, 1.5] : [1] },
  });
  return [
    { id: 'area-fill', type: 'fill', source: 'area', paint: { 'fill-color': palette.outline, 'fill-opacity': 0.12 } },
    line('area-casing', 4.5, palette.casing),
    line('area-line', 2.5, palette.outline),
  ];
}

export function showArea(map: MapLibre, box: BBox | null): void {
  const geometry: Polygon | null = box && {
    type: 'Polygon',
    coordinates: [[[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]], [box[0], box[1]]]],
  };
  const features = geometry ? [{ type: 'Feature' as const, properties: {}, geometry }] : [];
  map.getSource<GeoJSONSource>('area')?.setData({ type: 'FeatureCollection', features });
}

/** Lets the user drag a rectangle; null if they stop with Escape or the signal does. */
export function drawArea(map: MapLibre, signal: AbortSignal, preview: (box: BBox) => void): Promise<BBox | null> {
  const surface = map.getCanvasContainer();
  const at = (event: PointerEvent): [number, number] => {
    const { left, top } = surface.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  return new Promise((resolve) => {
    const over = new AbortController();
    const listen = { signal: over.signal, capture: true };
    let start: { point: [number, number]; place: LngLat } | null = null;
    const finish = (box: BBox | null): void => {
      over.abort();
      map.dragPan.enable();
      map.touchZoomRotate.enable();
      surface.classList.remove('maplibregl-crosshair');
      resolve(box);
    };
    const boxTo = (event: PointerEvent): BBox | null => {
      const point = at(event);
      if (!start || Math.min(...point.map((value, axis) => Math.abs(value - start!.point[axis]!))) < SLIP) return null;
      const { lng, lat } = map.unproject(point);
      const { place } = start;
      return [Math.min(lng, place.lng), Math.min(lat, place.lat), Math.max(lng, place.lng), Math.max(lat, place.lat)];
    };
    map.dragPan.disable();
    map.touchZoomRotate.disable();
    surface.classList.add('maplibregl-crosshair');
    surface.addEventListener('pointerdown', (event) => {
      start = { point: at(event), place: map.unproject(at(event)) };
      surface.setPointerCapture(event.pointerId);
    }, listen);
    surface.addEventListener('pointermove', (event) => {
      const box = boxTo(event);
      if (box) preview(box);
    }, listen);
    surface.addEventListener('pointerup', (event) => {
      const box = boxTo(event);
      if (box) finish(box);
      start = null;
    }, listen);
    addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      finish(null);
    }, listen);
    signal.addEventListener('abort', () => finish(null), { signal: over.signal });
  });
}
