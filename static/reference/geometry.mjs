/** Polygons as GeoJSON has them. */

export const polygonsOf = ({ type, coordinates }) => (type === 'Polygon' ? [coordinates] : coordinates);

/** Area inside a ring, in square degrees. */
export function ringArea(ring) {
  let twice = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    twice += (ring[j][0] - ring[i][0]) * (ring[j][1] + ring[i][1]);
  }
  return Math.abs(twice / 2);
}

/** The polygon whose outer ring is the largest. */
export const largestOf = (geometry) => polygonsOf(geometry).reduce((a, b) => (ringArea(a[0]) >= ringArea(b[0]) ? a : b));

/** A ring without the stretches along 180° and the south pole, where the map was cut: lines that can be drawn. */
export function shores(ring) {
  const artificial = ([x1, y1], [x2, y2]) => (Math.abs(x1) > 179.999 && Math.abs(x2) > 179.999) || (y1 < -89 && y2 < -89);
  const lines = [];
  let line = [ring[0]];
  for (let i = 1; i < ring.length; i++) {
    if (artificial(ring[i - 1], ring[i])) {
      if (line.length > 1) lines.push(line);
      line = [ring[i]];
    } else line.push(ring[i]);
  }
  if (line.length > 1) lines.push(line);
  return lines;
}
