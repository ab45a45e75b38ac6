/**
 * Cuts Natural Earth land, borders and country names into small vector tiles (Mapbox Vector Tile 2.1).
 *
 * A reader on a slow link then fetches the few kilobytes under their eyes rather than the whole world, and
 * MapLibre draws them in either projection without further code.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { GeoJSONVT } from '@maplibre/geojson-vt';
import { fromGeojsonVt } from '@maplibre/vt-pbf';
import polylabel from 'polylabel';
import { feature, mesh } from 'topojson-client';

const require = createRequire(import.meta.url);

/** The coarse atlas is enough, and far lighter, where a pixel is more than five kilometres. */
const FIRST_DETAILED_ZOOM = 3;
export const MAX_ZOOM = 4;
const CUT = { maxZoom: MAX_ZOOM, indexMaxZoom: MAX_ZOOM, indexMaxPoints: 0, tolerance: 4, buffer: 16, extent: 2048 };

/** Square degrees of a country's largest part, from which on its name has rank 0, 1, 2…: small names appear later. */
const RANKS = [120, 25, 4, 0.3, 0];

const atlas = async (scale) =>
  JSON.parse(await readFile(require.resolve(`world-atlas/countries-${scale}.json`), 'utf8'));

/**
 * Makes longitudes run on where a line crosses the antimeridian: the atlas is stitched there, so that a step from
 * 180° to -180° would otherwise be drawn as a line across the whole map.
 */
function unwrapLine(points) {
  let turns = 0;
  return points.map(([x, y], i) => {
    const step = i > 0 ? x - points[i - 1][0] : 0;
    if (Math.abs(step) > 180) turns -= Math.sign(step);
    return [x + 360 * turns, y];
  });
}

/** As unwrapLine; a ring that goes all the way round (Antarctica) is closed through the south pole. */
function unwrapRing(ring) {
  const points = unwrapLine(ring);
  const [first, last] = [points[0], points[points.length - 1]];
  return first[0] === last[0] ? points : [...points, [last[0], -90], [first[0], -90], first];
}

function unwrap(geometry) {
  const each = { Polygon: unwrapRing, MultiPolygon: (rings) => rings.map(unwrapRing), MultiLineString: unwrapLine }[geometry?.type];
  return each ? { ...geometry, coordinates: geometry.coordinates.map(each) } : geometry;
}

const unwrapAll = (collection) => ({
  ...collection,
  features: collection.features.map((each) => ({ ...each, geometry: unwrap(each.geometry) })),
});

function ringArea(ring) {
  let twice = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    twice += (ring[j][0] - ring[i][0]) * (ring[j][1] + ring[i][1]);
  }
  return Math.abs(twice / 2);
}

/** One point a country, inside its largest polygon. */
function names(countries) {
  const features = countries.features.flatMap(({ geometry, properties }) => {
    if (!geometry || !properties?.name) return [];
    const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
    const largest = polygons.reduce((a, b) => (ringArea(a[0]) >= ringArea(b[0]) ? a : b));
    const area = ringArea(largest[0]);
    const [x, y] = polylabel(largest, 0.1);
    const rank = RANKS.findIndex((smallest) => area > smallest);
    return [{ type: 'Feature', properties: { name: properties.name, rank }, geometry: { type: 'Point', coordinates: [x, y] } }];
  });
  return { type: 'FeatureCollection', features };
}

function indexes(topology) {
  const line = (geometry) => ({ type: 'Feature', properties: {}, geometry: unwrap(geometry) });
  const countries = topology.objects.countries;
  return {
    land: new GeoJSONVT(unwrapAll(feature(topology, topology.objects.land)), CUT),
    coast: new GeoJSONVT(line(mesh(topology, countries, (a, b) => a === b)), CUT),
    border: new GeoJSONVT(line(mesh(topology, countries, (a, b) => a !== b)), CUT),
    name: new GeoJSONVT(names(unwrapAll(feature(topology, countries))), { ...CUT, tolerance: 0 }),
  };
}

/** Yields `{ key: "z/x/y", bytes }` for every tile that has something in it. */
export async function* outlineTiles() {
  const coarse = indexes(await atlas('110m'));
  const detailed = indexes(await atlas('50m'));
  for (let z = 0; z <= MAX_ZOOM; z++) {
    const source = z < FIRST_DETAILED_ZOOM ? coarse : detailed;
    for (let x = 0; x < 2 ** z; x++) {
      for (let y = 0; y < 2 ** z; y++) {
        const layers = {};
        for (const [name, index] of Object.entries(source)) {
          const tile = index.getTile(z, x, y);
          if (tile?.features.length) layers[name] = tile;
        }
        if (Object.keys(layers).length === 0) continue;
        yield { key: `${z}/${x}/${y}`, bytes: Buffer.from(fromGeojsonVt(layers, { version: 2, extent: CUT.extent })) };
      }
    }
  }
}
