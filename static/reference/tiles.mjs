/** Cuts layers into vector tiles (Mapbox Vector Tile 2.1). */
import { GeoJSONVT } from '@maplibre/geojson-vt';
import { fromGeojsonVt } from '@maplibre/vt-pbf';

export const MAX_ZOOM = 6;
/** From this zoom on the fine scale is cut; before, a pixel is five kilometres and more. */
const FIRST_FINE_ZOOM = 4;
/** A pixel of a tile drawn at 512 is eight of these; the last level is drawn larger than life, so it keeps all. */
const EXTENT = 4096;
const TOLERANCE = { shape: 8, lastLevel: 3 };
const BUFFER = 64;

function index(features, zoom) {
  return new GeoJSONVT(
    { type: 'FeatureCollection', features: features.filter((each) => each.zoom <= zoom) },
    {
      maxZoom: zoom + 1, // its last level would be left as it is
      indexMaxZoom: zoom,
      indexMaxPoints: 0,
      extent: EXTENT,
      buffer: BUFFER,
      tolerance: zoom === MAX_ZOOM ? TOLERANCE.lastLevel : TOLERANCE.shape,
    },
  );
}

/** Yields `{ z, x, y, bytes }` for every tile that has something in it. */
export function* tiles({ coarse, fine }) {
  for (let z = 0; z <= MAX_ZOOM; z++) {
    const layers = Object.entries(z < FIRST_FINE_ZOOM ? coarse : fine).map(([name, features]) => [name, index(features, z)]);
    for (let x = 0; x < 2 ** z; x++) {
      for (let y = 0; y < 2 ** z; y++) {
        const found = layers.map(([name, cut]) => [name, cut.getTile(z, x, y)]).filter(([, tile]) => tile?.features.length);
        if (found.length === 0) continue;
        yield { z, x, y, bytes: fromGeojsonVt(Object.fromEntries(found), { version: 2, extent: EXTENT }) };
      }
    }
  }
}
