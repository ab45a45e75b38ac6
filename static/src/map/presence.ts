/** Which outline tiles there are, as a bit set in hexadecimal digits that the build puts into the code. */

/** Number of a tile, counting levels from 0, rows from the north, columns from the west. */
function position(z: number, x: number, y: number): number {
  return (4 ** z - 1) / 3 + y * 2 ** z + x;
}

/** Whether a tile has anything in it: an empty one is never asked for. */
export function exists(present: string, z: number, x: number, y: number): boolean {
  const bit = position(z, x, y);
  return ((parseInt(present[bit >> 2] ?? '0', 16) >> (3 - (bit & 3))) & 1) === 1;
}
