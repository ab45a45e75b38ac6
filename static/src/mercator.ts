/** Where things lie on the map before the map is there: MapLibre's Web Mercator, whose world is 512 pixels wide at zoom 0. */
import type { BBox } from './geo';
import type { Camera } from './link';

const WORLD = 512;
/** Room around a scene that the map goes to, in pixels, and how far a small one may be magnified. */
export const FIT = { padding: 32, maxZoom: 16 };

/** A rectangle of the page, in pixels. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Place in the world: 0 to 1 from west to east, and from north to south. */
export function project(lon: number, lat: number): [number, number] {
  const sine = Math.sin((lat * Math.PI) / 180);
  return [(lon + 180) / 360, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export function unproject(x: number, y: number): [number, number] {
  return [x * 360 - 180, (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI];
}

/** The camera that fits a box into a frame as the map will. */
export function fit([west, south, east, north]: BBox, { width, height }: Frame): Camera {
  const [left, top] = project(west, north);
  const [right, bottom] = project(east, south);
  const scale = Math.min((width - 2 * FIT.padding) / (right - left), (height - 2 * FIT.padding) / (bottom - top));
  const [lon, lat] = unproject((left + right) / 2, (top + bottom) / 2);
  return { lon, lat, zoom: Math.min(FIT.maxZoom, Math.log2(scale / WORLD)) };
}

/** Where a camera shows a box: pixels of the frame, whose middle is the camera's. */
export function frameOf([west, south, east, north]: BBox, camera: Camera, frame: Frame): Frame {
  const world = WORLD * 2 ** camera.zoom;
  const [x, y] = project(camera.lon, camera.lat);
  const [left, top] = project(west, north);
  const [right, bottom] = project(east, south);
  return {
    left: frame.left + frame.width / 2 + (left - x) * world,
    top: frame.top + frame.height / 2 + (top - y) * world,
    width: (right - left) * world,
    height: (bottom - top) * world,
  };
}

/** What a camera shows in a frame, in degrees. */
export function viewOf(camera: Camera, frame: Frame): BBox {
  const world = WORLD * 2 ** camera.zoom;
  const [x, y] = project(camera.lon, camera.lat);
  const [west, north] = unproject(x - frame.width / 2 / world, Math.max(0, y - frame.height / 2 / world));
  const [east, south] = unproject(x + frame.width / 2 / world, Math.min(1, y + frame.height / 2 / world));
  return [west, south, east, north];
}
