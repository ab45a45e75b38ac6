/**
 * Shapes that people draw on the map, by terra-draw: a chunk of its own, which is loaded when somebody draws.
 *
 * Points are set by clicks or taps; a line or an area ends with a click on its last (or first) point, or with Enter.
 * A rectangle is dragged, or set by two clicks.
 */
import type { LineString, Polygon } from 'geojson';
import type { Map as MapLibre } from 'maplibre-gl';
import { TerraDraw, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawRectangleMode } from 'terra-draw';
import { TerraDrawMapLibreGLAdapter } from 'terra-draw-maplibre-gl-adapter';

import type { Palette } from './theme';

export type Shape = 'line' | 'polygon' | 'rectangle';
export type Drawn = LineString | Polygon;

export interface Drawing {
  /** Stops the drawing without a result. */
  signal: AbortSignal;
  /** Told of the shape as it grows, the pointer's place included. */
  changed?: (shape: Drawn) => void;
}

const MODES: Record<Shape, string> = { line: 'linestring', polygon: 'polygon', rectangle: 'rectangle' };
const FINISH = { cancel: null, finish: 'Enter' };

function modes(colour: `#${string}`): [TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawRectangleMode] {
  const area = { fillColor: colour, fillOpacity: 0.12, outlineColor: colour, outlineWidth: 2.5 } as const;
  const ends = { closingPointColor: colour, closingPointWidth: 6, closingPointOutlineWidth: 2, closingPointOutlineColor: '#ffffff' } as const;
  return [
    new TerraDrawLineStringMode({ keyEvents: FINISH, styles: { lineStringColor: colour, lineStringWidth: 2.5, ...ends } }),
    new TerraDrawPolygonMode({ keyEvents: FINISH, styles: { ...area, ...ends } }),
    new TerraDrawRectangleMode({ keyEvents: FINISH, drawInteraction: 'click-move-or-drag', styles: area }),
  ];
}

const isDrawn = (geometry: { type: string } | undefined): geometry is Drawn =>
  geometry?.type === 'LineString' || geometry?.type === 'Polygon';

/** Lets the user draw; null if they stop with Escape or the signal does. */
export function draw(map: MapLibre, { outline }: Palette, shape: Shape, { signal, changed }: Drawing): Promise<Drawn | null> {
  const drawing = new TerraDraw({ adapter: new TerraDrawMapLibreGLAdapter({ map }), modes: modes(outline as `#${string}`) });
  return new Promise((resolve) => {
    const over = new AbortController();
    const finish = (result: Drawn | null): void => {
      over.abort();
      drawing.stop();
      resolve(result);
    };
    const growing = (): Drawn | undefined =>
      drawing.getSnapshot().map(({ geometry }) => geometry).find((geometry) => isDrawn(geometry)) as Drawn | undefined;
    drawing.on('change', () => {
      const shown = growing();
      if (shown) changed?.(shown);
    });
    drawing.on('finish', (id) => {
      const geometry = drawing.getSnapshotFeature(id)?.geometry;
      // after the event that ended it has run its course: terra-draw still works on it
      if (isDrawn(geometry)) queueMicrotask(() => finish(geometry));
    });
    const escape = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      finish(null);
    };
    addEventListener('keydown', escape, { signal: over.signal, capture: true });
    signal.addEventListener('abort', () => finish(null), { signal: over.signal });
    drawing.start();
    drawing.setMode(MODES[shape]);
    if (signal.aborted) finish(null);
  });
}
