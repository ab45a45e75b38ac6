/**
 * Makes the reference map, the gazetteer and the borders of countries from packages that fetch.sh has fetched:
 *
 *   node reference/make.mjs FOLDER     writes reference.pmtiles, reference.json, gazetteer.json and countries.json.gz there
 */
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { borders } from './borders.mjs';
import { gazetteer } from './gazetteer.mjs';
import { countries, layers, places } from './layers.mjs';
import { pmtiles } from './pmtiles.mjs';
import { geonames, naturalEarth } from './sources.mjs';
import { MAX_ZOOM, tiles } from './tiles.mjs';

const ATTRIBUTION = 'Made with Natural Earth; names by GeoNames (CC BY 4.0) and Unicode CLDR';

/** Written beside its name and renamed, so that a build never finds half a file. */
async function put(folder, name, bytes) {
  const file = path.join(folder, name);
  await writeFile(`${file}.part`, bytes);
  await rename(`${file}.part`, file);
}

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('Name the folder of packages: node reference/make.mjs FOLDER');
const layer = await naturalEarth(folder);
const world = await geonames(folder);
const lands = await countries(world.codes);
const towns = await places(layer, world, folder);
const cut = [...tiles(await layers(layer, lands, towns))];
const metadata = { name: 'COMEO reference map', attribution: ATTRIBUTION };
const { bytes, head } = await pmtiles(cut, { maxZoom: MAX_ZOOM, metadata });
await put(folder, 'countries.json.gz', gzipSync(JSON.stringify(await borders(world)), { level: 9 }));
await put(folder, 'gazetteer.json', JSON.stringify(gazetteer(lands, towns)));
await put(folder, 'reference.json', JSON.stringify({ head, maxZoom: MAX_ZOOM, attribution: ATTRIBUTION }));
await put(folder, 'reference.pmtiles', bytes);
