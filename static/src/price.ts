/** What a view costs to be shown anew: bytes of its tiles. */
import type { BBox } from './geo';
import { saver } from './saver';
import { countTiles, USUAL_TILE } from './tools/offline/plan';

/** Tiles of twice the pixels a side weigh about three times as much. */
const DOUBLED = 3;

/** Bytes of the tiles that fill a view at a zoom of the map (of 512-pixel worlds, as MapLibre counts). */
export function viewBytes(box: BBox, zoom: number, coarse: boolean, tile: number, density: number): number {
  const level = Math.max(0, Math.round(zoom + (coarse ? 0 : 1)));
  return countTiles(box, level, level) * tile * (!coarse && density >= 1.5 ? DOUBLED : 1);
}

/** Bytes that another style or date of the view is expected to cost, by the tiles that have come so far. */
export const clickBytes = (box: BBox, zoom: number, coarse = saver.saving): number =>
  viewBytes(box, zoom, coarse, saver.meanTile ?? USUAL_TILE, devicePixelRatio);
