import assert from 'node:assert/strict';
import test from 'node:test';

import { cacheOf } from '../src/offline/caches';
import { keptKey, rangeKey } from '../src/offline/keys';
import { meanTile, saves, SLOW, speedOf } from '../src/saver';
import { addressOf, common, countTiles, tilesOf } from '../src/tools/offline/plan';

const tile = (start: number, end: number, bytes: number, name = '/collections/c/tiles/WebMercatorQuad/3/1/2.webp') => ({
  name, transferSize: bytes, encodedBodySize: bytes, requestStart: start, responseStart: start, responseEnd: end,
});

test('speed counts the time when a tile was under way once', () => {
  assert.equal(speedOf([tile(0, 1000, 30_000), tile(500, 1500, 30_000), tile(5000, 5500, 40_000)]), 50_000);
  assert.equal(speedOf([tile(0, 1000, 100)]), null);
  assert.equal(speedOf([tile(0, 1000, 1e6, '/assets/main.js')]), null);
  assert.equal(meanTile([tile(0, 1, 10), tile(0, 1, 30), tile(0, 1, 99, '/stac/search')]), 20);
  assert.equal(meanTile([]), null);
});

test('data are saved by choice, by the browser’s wish, or on a slow link', () => {
  assert.equal(saves('on', undefined, 1e9), true);
  assert.equal(saves('off', { saveData: true }, 1), false);
  assert.equal(saves('auto', { saveData: true }, null), true);
  assert.equal(saves('auto', { effectiveType: '2g' }, null), true);
  assert.equal(saves('auto', { effectiveType: '4g' }, SLOW - 1), true);
  assert.equal(saves('auto', undefined, SLOW), false);
  assert.equal(saves('auto', undefined, null), false);
});

test('tiles of an area are counted as they are made', () => {
  const box: [number, number, number, number] = [8.6, 47.4, 8.7, 47.5];
  const tiles = [...tilesOf(box, 10, 13)];
  assert.equal(tiles.length, countTiles(box, 10, 13));
  assert.deepEqual(tiles[0], { z: 10, x: 536, y: 358 });
  assert.equal(countTiles([-180, -90, 180, 90], 0, 2), 1 + 4 + 16);
  assert.equal(addressOf('a/{z}/{x}/{y}.webp?style=s', { z: 1, x: 2, y: 3 }), 'a/1/2/3.webp?style=s');
  assert.equal(common([0, 0, 1, 1], [2, 2, 3, 3]), null);
  assert.deepEqual(common([0, 0, 2, 2], [1, 1, 3, 3]), [1, 1, 2, 2]);
});

test('a kept tile is found whatever its density and stretch', () => {
  const kept = keptKey('http://h/collections/c/items/i/tiles/W/1/2/3@2x.webp?style=ndvi&rescale=0,1');
  assert.equal(kept, keptKey('http://h/collections/c/items/i/tiles/W/1/2/3.webp?style=ndvi'));
  assert.notEqual(kept, keptKey('http://h/collections/c/items/i/tiles/W/1/2/3.webp?style=evi'));
  for (const other of ['against=j', 'mask=clear', 'pixel_selection=median', 'expression=B04', 'bands=B04']) {
    assert.notEqual(kept, keptKey(`http://h/collections/c/items/i/tiles/W/1/2/3.webp?style=ndvi&${other}`), `${other} shows something else`);
  }
  assert.equal(keptKey('http://h/tiles/1.webp?mask=clear&datetime=a&style=ndvi'), keptKey('http://h/tiles/1.webp?style=ndvi&datetime=a&mask=clear'));
  assert.equal(keptKey('http://h/tiles/1.webp?style=ndvi'), 'http://h/tiles/1.webp?kept=1&style=ndvi', 'never the tile that was merely seen');
  assert.equal(rangeKey('http://h/a.pmtiles', 'bytes=0-9'), 'http://h/a.pmtiles?range=bytes%3D0-9');
});

test('what the page has fetched goes into the cache that it belongs to', () => {
  const base = 'http://h/';
  assert.match(cacheOf('http://h/assets/main-1.js', base) ?? '', /shell/);
  assert.match(cacheOf('http://h/stac/search?limit=100', base) ?? '', /data/);
  assert.match(cacheOf('http://h/collections/c/items/i/tiles/W/1/2/3.webp', base) ?? '', /seen/);
  assert.equal(cacheOf('http://h/metrics', base), null);
  assert.equal(cacheOf('http://other/assets/main-1.js', base), null);
});
