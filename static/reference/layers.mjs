/** The layers of the reference map: features with a geometry, their properties, and the zoom that they appear at. */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';

import polylabel from 'polylabel';
import { feature } from 'topojson-client';

import { drawnFromLeft } from './arabic.mjs';
import { largestOf, polygonsOf, ringArea, shores } from './geometry.mjs';
import { LANGUAGES, countryNames, translate } from './names.mjs';

const require = createRequire(import.meta.url);

/** Square degrees of a country's largest part, from which on its name has rank 0, 1, 2…: small names appear later. */
const COUNTRY_RANKS = [120, 25, 4, 0.3, 0];
/** Zoom of the first tile that holds the names of a rank; the style has the same steps (src/map/reference.ts). */
const COUNTRY_ZOOMS = [0, 2, 3, 4, 6];
/** From here on coasts are lines of their own, to lie over imagery; before, land and water differ by their colour. */
const FIRST_COAST_ZOOM = 3;
/** Square degrees of a lake whose name appears at zoom 4, 5, 6. */
const LAKE_SIZES = [[4, 4], [0.6, 5], [0.05, 6]];
/** Zoom at which a place of Natural Earth's scale rank appears; the style has the same steps (src/map/reference.ts). */
const PLACE_ZOOMS = [2, 3, 4, 5, 5, 6, 6];

const point = (lon, lat, properties, zoom) => ({ type: 'Feature', properties, zoom, geometry: { type: 'Point', coordinates: [lon, lat] } });

/** Names as they are drawn: one property a language, only where it differs from the main one. */
function drawn(name, names) {
  const other = LANGUAGES.filter((each) => names[each]).map((each) => [`name_${each}`, drawnFromLeft(names[each])]);
  return { name, ...Object.fromEntries(other) };
}

function coast(land) {
  return land.flatMap(({ geometry }) => polygonsOf(geometry).flat().flatMap(shores))
    .map((coordinates) => ({ type: 'Feature', properties: {}, zoom: FIRST_COAST_ZOOM, geometry: { type: 'LineString', coordinates } }));
}

const plain = ({ geometry }, properties = {}, zoom = 0) => ({ type: 'Feature', properties, zoom, geometry });
const DISPUTED = /disputed|indefinite|control|indeterminant/i;

async function lines(layer, scale) {
  const borders = await layer(scale, 'admin_0_boundary_lines_land');
  const rivers = await layer(scale, 'rivers_lake_centerlines');
  const river = (each) => plain(each, each.properties.name ? { name: each.properties.name } : {}, Math.max(2, each.properties.scalerank - 1));
  return {
    border: borders.map((each) => plain(each, DISPUTED.test(each.properties.featurecla) ? { disputed: 1 } : {})),
    river: rivers.filter((each) => each.properties.featurecla === 'River').map(river),
  };
}

function lakeNames(water) {
  return water.flatMap(({ geometry, properties: { name } }) => {
    const largest = largestOf(geometry);
    const zoom = LAKE_SIZES.find(([area]) => ringArea(largest[0]) > area)?.[1];
    if (!name || !zoom) return [];
    const [lon, lat] = polylabel(largest, 0.02);
    return [point(lon, lat, { name, kind: 'lake' }, zoom)];
  });
}

/** Countries as `{ code, name, names, box, lon, lat, rank }`, the box being that of the largest part. */
export async function countries(codes) {
  const topology = JSON.parse(await readFile(require.resolve('world-atlas/countries-50m.json'), 'utf8'));
  return feature(topology, topology.objects.countries).features.flatMap(({ id, geometry, properties }) => {
    if (!geometry || !properties?.name) return [];
    const largest = largestOf(geometry);
    const area = ringArea(largest[0]);
    const [lon, lat] = polylabel(largest, 0.1);
    const [xs, ys] = [0, 1].map((axis) => largest[0].map((corner) => corner[axis]));
    const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    const code = codes.get(Number(id)) ?? null;
    return [{ code, ...countryNames(code, properties.name), box, lon, lat, rank: COUNTRY_RANKS.findIndex((least) => area > least) }];
  });
}

/** Populated places as `{ name, names, also, country, lon, lat, rank, people, capital, geoname }`, the largest first. */
export async function places(layer, { cities }, folder) {
  const found = (await layer('10m', 'populated_places_simple')).map(({ properties: p, geometry }) => ({
    name: p.name,
    country: p.iso_a2,
    lon: geometry.coordinates[0],
    lat: geometry.coordinates[1],
    rank: p.scalerank,
    people: p.pop_max,
    capital: p.featurecla === 'Admin-0 capital',
    geoname: p.geonameid,
  }));
  await translate(found, cities, folder);
  return found.sort((a, b) => b.people - a.people);
}

const placePoint = ({ name, names, lon, lat, rank, capital }) =>
  point(lon, lat, { ...drawn(name, names), rank, ...(capital ? { capital: 1 } : {}) }, PLACE_ZOOMS[rank] ?? 6);

const countryPoint = ({ name, names, lon, lat, rank }) => point(lon, lat, { ...drawn(name, names), rank }, COUNTRY_ZOOMS[rank]);

/** All layers at the two scales of Natural Earth: the coarse one serves where its error is less than a pixel. */
export async function layers(layer, countries_, places_) {
  const land = { '10m': await layer('10m', 'land'), '50m': await layer('50m', 'land') };
  const names = {
    lake: lakeNames((await layer('10m', 'ocean')).filter((each) => each.properties.name)),
    place: places_.map(placePoint),
    country: countries_.map(countryPoint),
  };
  const at = async (scale) => ({
    land: land[scale].map((each) => plain(each)),
    coast: coast(land[scale]),
    ...(await lines(layer, scale)),
    ...names,
  });
  const provinces = (await layer('10m', 'admin_1_states_provinces_lines')).filter(({ properties: p }) => p.featurecla === 'Admin-1 boundary');
  const province = provinces.map((each) => plain(each, {}, Math.max(4, Math.floor(each.properties.min_zoom - 1))));
  return { coarse: await at('50m'), fine: { ...(await at('10m')), province } };
}
