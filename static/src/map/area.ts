/** The shape on the map that is worked with: an area to take away, a field, a line that is measured. */
import type { Geometry } from 'geojson';
import type { GeoJSONSource, LayerSpecification, Map as MapLibre } from 'maplibre-gl';

import type { Palette } from './theme';

export function areaLayers(palette: Palette): LayerSpecification[] {
  const line = (id: string, width: number, color: string): LayerSpecification => ({
    id,
    type: 'line',
    source: 'area',
    paint: { 'line-color': color, 'line-width': width, 'line-dasharray': id === 'area-line' ? [2, 1.5] : [1] },
  });
  return [
    { id: 'area-fill', type: 'fill', source: 'area', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': palette.outline, 'fill-opacity': 0.12 } },
    line('area-casing', 4.5, palette.casing),
    line('area-line', 2.5, palette.outline),
  ];
}

/** Shows a shape, or none. */
export function showShape(map: MapLibre, geometry: Geometry | null): void {
  const features = geometry ? [{ type: 'Feature' as const, properties: {}, geometry }] : [];
  map.getSource<GeoJSONSource>('area')?.setData({ type: 'FeatureCollection', features });
}
