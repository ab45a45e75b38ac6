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

/**
 * A line without the positions that it passes within a tolerance (Douglas and Peucker); its ends stay.
 *
 * @param {number[][]} line On a grid.
 * @param {number} tolerance In degrees.
 * @param {number[]} scale Degrees of a step of the grid along either axis.
 */
export function simplified(line, tolerance, [sx, sy]) {
  const kept = new Set([0, line.length - 1]);
  const open = [[0, line.length - 1]];
  while (open.length > 0) {
    const [first, last] = open.pop();
    const [x, y] = line[first];
    const [ux, uy] = [(line[last][0] - x) * sx, (line[last][1] - y) * sy];
    const length = ux * ux + uy * uy;
    let [far, at] = [tolerance, 0];
    for (let i = first + 1; i < last; i++) {
      const [vx, vy] = [(line[i][0] - x) * sx, (line[i][1] - y) * sy];
      const along = length ? Math.min(1, Math.max(0, (vx * ux + vy * uy) / length)) : 0;
      const away = Math.hypot(vx - along * ux, vy - along * uy);
      if (away > far) [far, at] = [away, i];
    }
    if (at) {
      kept.add(at);
      open.push([first, at], [at, last]);
    }
  }
  return line.filter((_, i) => kept.has(i));
}
