/** What has to be kept of an area: tiles of its zooms, dates and styles. */
import type { BBox } from '../../geo';

/** Tiles that one kept area may have: some 60 MB. */
export const MOST_TILES = 4000;
/** Bytes of a tile until some have been seen: measured on Sentinel-2 at ×100, true colour. */
export const USUAL_TILE = 9000;

export interface Tile {
  z: number;
  x: number;
  y: number;
}

const column = (lon: number, z: number): number => Math.floor(((lon + 180) / 360) * 2 ** z);
const row = (lat: number, z: number): number => {
  const bounded = Math.min(85.0511, Math.max(-85.0511, lat));
  const y = Math.log(Math.tan(Math.PI / 4 + (bounded * Math.PI) / 360));
  return Math.floor(((1 - y / Math.PI) / 2) * 2 ** z);
};

interface Span {
  z: number;
  columns: [number, number];
  rows: [number, number];
}

function spanAt(box: BBox, z: number): Span {
  const last = 2 ** z - 1;
  const bounded = (value: number): number => Math.min(last, Math.max(0, value));
  return { z, columns: [bounded(column(box[0], z)), bounded(column(box[2], z))], rows: [bounded(row(box[3], z)), bounded(row(box[1], z))] };
}

const spans = (box: BBox, from: number, to: number): Span[] => Array.from({ length: to - from + 1 }, (_, index) => spanAt(box, from + index));

/** Number of the tiles of WebMercatorQuad that a box meets, counted without making them. */
export const countTiles = (box: BBox, from: number, to: number): number =>
  spans(box, from, to).reduce((sum, { columns, rows }) => sum + (columns[1] - columns[0] + 1) * (rows[1] - rows[0] + 1), 0);

export function* tilesOf(box: BBox, from: number, to: number): Generator<Tile> {
  for (const { z, columns, rows } of spans(box, from, to)) {
    for (let y = rows[0]; y <= rows[1]; y++) for (let x = columns[0]; x <= columns[1]; x++) yield { z, x, y };
  }
}

export const addressOf = (template: string, { z, x, y }: Tile): string =>
  template.replace('{z}', String(z)).replace('{x}', String(x)).replace('{y}', String(y));

/** The part of the first box that lies in the second; null where there is none. */
export function common(a: BBox, b: BBox): BBox | null {
  const box: BBox = [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
  return box[0] < box[2] && box[1] < box[3] ? box : null;
}
