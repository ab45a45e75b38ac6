/** The little geometry the viewer needs, in degrees. */
import type { MultiPolygon, Polygon, Position } from 'geojson';

/** West, south, east, north. */
export type BBox = [number, number, number, number];

type Area = Polygon | MultiPolygon;

const polygonsOf = (geometry: Area): Position[][][] =>
  geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;

export function bboxOf(geometry: Area): BBox | null {
  const box: BBox = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x = NaN, y = NaN] of polygonsOf(geometry).flat(2)) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) return null;
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  return box[0] <= box[2] ? box : null;
}

export function unionOf(boxes: readonly BBox[]): BBox | null {
  const [first, ...rest] = boxes;
  if (!first) return null;
  const merge = (a: BBox, b: BBox): BBox => [
    Math.min(a[0], b[0]),
    Math.min(a[1], b[1]),
    Math.max(a[2], b[2]),
    Math.max(a[3], b[3]),
  ];
  return rest.reduce(merge, first);
}

/** What two boxes share; null where that is nothing. */
export function intersection(a: BBox, b: BBox): BBox | null {
  const box: BBox = [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
  return box[0] < box[2] && box[1] < box[3] ? box : null;
}

export const centreOf = (box: BBox): [number, number] => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];

/** In square degrees; only ever compared. */
export const areaOf = ([west, south, east, north]: BBox): number =>
  (east - west) * (north - south) * Math.cos((((south + north) / 2) * Math.PI) / 180);

function inRing(ring: Position[], x: number, y: number): boolean {
  let inside = false;
  let [previousX = 0, previousY = 0] = ring[ring.length - 1] ?? [];
  for (const [currentX = 0, currentY = 0] of ring) {
    const crosses = currentY > y !== previousY > y;
    if (crosses && x < ((previousX - currentX) * (y - currentY)) / (previousY - currentY) + currentX) inside = !inside;
    [previousX, previousY] = [currentX, currentY];
  }
  return inside;
}

/** Whether a point is inside by the even-odd rule, so that holes are outside. */
export function contains(geometry: Area, lon: number, lat: number): boolean {
  return polygonsOf(geometry).some((rings) => rings.filter((ring) => inRing(ring, lon, lat)).length % 2 === 1);
}

export const polygonOf = ([west, south, east, north]: BBox): Polygon => ({
  type: 'Polygon',
  coordinates: [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
});

/** To five decimals, about a metre. */
export const roundedBox = (box: BBox): BBox => box.map((value) => Number(value.toFixed(5))) as BBox;
