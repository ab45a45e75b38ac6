/** Borders of countries as TopoJSON, for areas of subscriptions (read by tileserver/countries/borders.py). */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';

import { ringArea, simplified } from './geometry.mjs';

const require = createRequire(import.meta.url);

/** Degrees that a border may be moved by: a kilometre, of the order of what 1:10 million is off by, and less than a block of pixels. */
const TOLERANCE = 0.01;
/** Of a ring's area that has to be left: what loses more is as small as the tolerance, and stays as it is. */
const LEAST_LEFT = 0.5;

/** Shapes of Natural Earth without a number, by the code of ISO 3166 whose territory has them: none of them has its own. */
const PARTS_OF = {
  Akrotiri: ['CY'], Dhekelia: ['CY'], 'Cyprus U.N. Buffer Zone': ['CY'], 'N. Cyprus': ['CY'],
  Baikonur: ['KZ'], 'Clipperton I.': ['FR'], 'Coral Sea Is.': ['AU'], 'Indian Ocean Ter.': ['AU'], Kosovo: ['XK'],
  'Siachen Glacier': ['IN', 'PK'], Somaliland: ['SO'], 'USNB Guantanamo Bay': ['CU'],
};
/** Reefs that several claim: of no country here. */
const CLAIMED = new Set(['Bajo Nuevo Bank', 'Scarborough Reef', 'Serranilla Bank', 'Spratly Is.']);
/** Codes of parts that Natural Earth draws with another country, by its code and boxes in degrees that hold the part. */
const PARTS = {
  BQ: ['NL', [-69, 11.5, -62.5, 18]], BV: ['NO', [3, -55, 4, -54]], CC: ['AU', [96, -13, 98, -11]],
  CX: ['AU', [105, -11, 106, -10]], GF: ['FR', [-55, 2, -51, 6]], GP: ['FR', [-62, 15.7, -60.9, 16.6]],
  MQ: ['FR', [-61.5, 14.3, -60.7, 15]], RE: ['FR', [55, -21.5, 56, -20.7]], SJ: ['NO', [9, 74, 34, 81], [-10, 70, -7, 72]],
  TK: ['NZ', [-173, -10, -171, -8]], YT: ['FR', [44.9, -13.1, 45.4, -12.5]],
};

/** Arcs of a topology as positions on its grid. */
const positions = ({ arcs }) =>
  arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => [(x += dx), (y += dy)]);
  });

const differences = (line) => line.map(([x, y], i) => (i ? [x - line[i - 1][0], y - line[i - 1][1]] : [x, y]));

/** A ring of arcs, where a negative number is an arc from its end to its start. */
const ringOf = (ring, arcs) =>
  ring.flatMap((arc, i) => {
    const line = arc < 0 ? [...arcs[~arc]].reverse() : arcs[arc];
    return i ? line.slice(1) : line;
  });

const polygonsOf = ({ type, arcs }) => (type === 'Polygon' ? [arcs] : arcs);

/** Arcs with fewer positions, neighbours still sharing theirs; rings that would lose most of their area keep all. */
function lighter(arcs, geometries, { scale }) {
  const light = arcs.map((arc) => simplified(arc, TOLERANCE, scale));
  for (const ring of geometries.flatMap(polygonsOf).flat()) {
    if (ringArea(ringOf(ring, light)) > LEAST_LEFT * ringArea(ringOf(ring, arcs))) continue;
    for (const arc of ring) light[arc < 0 ? ~arc : arc] = arcs[arc < 0 ? ~arc : arc];
  }
  return light;
}

/** The polygons of a country whose first position lies in one of some boxes. */
function within(polygons, boxes, arcs, { scale, translate }) {
  return polygons.filter(([outer]) => {
    const [lon, lat] = ringOf(outer, arcs)[0].map((value, axis) => value * scale[axis] + translate[axis]);
    return boxes.some(([west, south, east, north]) => west < lon && lon < east && south < lat && lat < north);
  });
}

/** Polygons by code: of shapes with a number, and of those without one that belong to a code. */
function byCode(geometries, codes) {
  const found = new Map();
  for (const geometry of geometries) {
    const { id, properties: { name } } = geometry;
    const owners = PARTS_OF[name] ?? [codes.get(Number(id))].filter(Boolean);
    if (owners.length === 0 && !CLAIMED.has(name)) throw new Error(`Natural Earth's ${name} has no code: name its country.`);
    for (const code of owners) found.set(code, [...(found.get(code) ?? []), ...polygonsOf(geometry)]);
  }
  return found;
}

/**
 * Countries and parts of them with codes of their own as a TopoJSON topology of MultiPolygons: `id` is the code of two
 * letters, `properties` are `iso3` and `name`.
 *
 * @param {{codes: Map<number, string>, named: Map<string, {iso3: string, name: string}>}} world Of GeoNames.
 */
export async function borders({ codes, named }) {
  const { arcs: packed, objects, transform } = JSON.parse(await readFile(require.resolve('world-atlas/countries-10m.json'), 'utf8'));
  const { geometries } = objects.countries;
  const arcs = positions({ arcs: packed });
  const found = byCode(geometries, codes);
  for (const [code, [country, ...boxes]] of Object.entries(PARTS)) {
    const part = within(found.get(country), boxes, arcs, transform);
    if (part.length === 0) throw new Error(`Natural Earth draws nothing of ${code} with ${country}.`);
    found.set(code, part);
  }
  const countries = [...found].sort().map(([id, polygons]) => ({ type: 'MultiPolygon', id, properties: named.get(id), arcs: polygons }));
  const light = lighter(arcs, geometries, transform).map(differences);
  return { type: 'Topology', transform, arcs: light, objects: { countries: { type: 'GeometryCollection', geometries: countries } } };
}
