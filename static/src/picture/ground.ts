/** Pictures of an area: what the map shows, or what the server makes; and what they are called. */
import { ApiError, layerPath, layerQuery, problemSentence, url, withQuery } from '../api';
import type { Item, Layer } from '../api';
import { isoDay } from '../format';
import { centreOf, type BBox } from '../geo';
import { inTurn } from '../heavy';
import { OWN } from '../indicator';
import type { MapView } from '../map/map';
import { shownStyle, type State } from '../store';

/** Metres of the equator of the Web Mercator sphere. */
const EQUATOR = 2 * Math.PI * 6_378_137;

/** Bytes of a pixel of a picture that the server makes: measured on tiles of Sentinel-2, WebP. */
export const BYTES_PER_PIXEL = 0.15;

/** Ground metres across a pixel in the middle of a picture in Web Mercator. */
export function metresPerPixel(box: BBox, width: number): number {
  const [, lat] = centreOf(box);
  return (((box[2] - box[0]) / 360) * EQUATOR * Math.cos((lat * Math.PI) / 180)) / width;
}

const mercator = (lat: number): number => Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360));

/** Width and height in pixels of a box in Web Mercator whose longer side is `most`. */
export function sizeOf(box: BBox, most: number): { width: number; height: number } {
  const across = ((box[2] - box[0]) * Math.PI) / 180;
  const along = mercator(box[3]) - mercator(box[1]);
  const scale = most / Math.max(across, along);
  return { width: Math.max(1, Math.round(across * scale)), height: Math.max(1, Math.round(along * scale)) };
}

/** A picture of a box in Web Mercator, as the server makes it; `query` has style and stretch. */
export async function fetchPicture(layer: Layer, query: Readonly<Record<string, string>>, box: BBox, most: number, signal?: AbortSignal): Promise<Blob> {
  const { width, height } = sizeOf(box, most);
  const path = `${layerPath(layer)}/bbox/${box.map((side) => side.toFixed(6)).join(',')}.webp`;
  const target = withQuery(url(path), { ...query, ...layerQuery(layer), dst_crs: 'EPSG:3857', width: String(width), height: String(height) });
  const answer = await inTurn(() => fetch(target, { signal: signal ?? null }), signal).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ApiError('The server does not answer. Check that it is running and reachable, then try again.', null);
  });
  if (!answer.ok) throw new ApiError(problemSentence(await answer.json().catch(() => null), answer.status), answer.status);
  return answer.blob();
}

/** What the map shows, without the part that a sheet covers. */
export function captureMap(map: MapView): Promise<ImageBitmap> {
  const { maplibre } = map;
  const covered = maplibre.getPadding().bottom ?? 0;
  return new Promise((resolve, reject) => {
    maplibre.once('render', () => {
      // only while it draws does the canvas hold what it has drawn
      const canvas = maplibre.getCanvas();
      const height = canvas.height - Math.round((covered * canvas.height) / canvas.clientHeight);
      createImageBitmap(canvas, 0, 0, canvas.width, Math.max(1, height)).then(resolve, reject);
    });
    maplibre.triggerRepaint();
  });
}

/** The name of the style for a file: that of the page's own indicator is its title. */
export const styleName = (state: Readonly<State>): string | null => (state.style === OWN ? (shownStyle(state)?.title ?? null) : state.style);

/** Of letters that every system takes: place, date and style. */
export function fileName(place: string, day: Date | null, style: string | null, extension: string): string {
  const stamp = day ? isoDay(day) : '';
  const dated = stamp && !place.includes(stamp) && !place.includes(stamp.replaceAll('-', '')) ? stamp : '';
  const stem = [place, dated, style ?? ''].filter(Boolean).join('_');
  return `${stem.replaceAll(/[^\p{L}\p{N}._@-]+/gu, '-')}.${extension}`;
}

/** `44.43N_26.08E`: a place that has no other name. */
export function placeName(box: BBox): string {
  const [lon, lat] = centreOf(box);
  return `${Math.abs(lat).toFixed(2)}${lat < 0 ? 'S' : 'N'}_${Math.abs(lon).toFixed(2)}${lon < 0 ? 'W' : 'E'}`;
}

export const dayOfItem = (item: Item | null): Date | null => (item?.dated ? item.datetime : null);
