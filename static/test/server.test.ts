import assert from 'node:assert/strict';
import test from 'node:test';

import { doubled, interval, parseItem, problemSentence, withRendering } from '../src/api';
import { dayOf } from '../src/format';
import { inTurn } from '../src/heavy';
import { loadWords } from '../src/words/words';
import { addTiming, noTraffic, partOf, totalOf } from '../src/traffic';

await loadWords('shell');

const template = 'https://tiles.example/collections/c/items/i/tiles/WebMercatorQuad/{z}/{x}/{y}.webp?v=1';

test('a style goes into a template without harming its braces', () => {
  assert.equal(withRendering(template, { style: 'ndvi' }), `${template}&style=ndvi`);
  assert.equal(withRendering(withRendering(template, { style: 'ndvi' }), { style: 'true-color' }), `${template}&style=true-color`);
  assert.equal(withRendering('/{z}/{x}/{y}.webp', {}), '/{z}/{x}/{y}.webp');
  assert.match(doubled(template), /\{y\}@2x\.webp\?v=1$/);
});

test('an interval is open where no day is given', () => {
  assert.equal(interval('2019-05-30', null), '2019-05-30T00:00:00Z/..');
  assert.equal(interval(null, '2019-05-30'), '../2019-05-30T23:59:59Z');
  assert.equal(interval('', ''), null);
});

test('a problem is told in the words of the server, else by its status', () => {
  assert.equal(problemSentence({ title: 'Not found', detail: 'there is no scene x' }, 404), 'There is no scene x.');
  assert.equal(problemSentence({ title: 'Not found.' }, 404), 'Not found.');
  for (const body of [null, [], 'text', { detail: 7 }]) assert.match(problemSentence(body, 503), /503/);
});

test('what was received is counted by what it was for', () => {
  const origin = 'https://tiles.example';
  const entry = (path: string, transferSize: number, host = origin) => ({ name: host + path, transferSize, encodedBodySize: transferSize });
  let traffic = noTraffic();
  traffic = addTiming(traffic, entry('/assets/map.js', 1000), origin);
  traffic = addTiming(traffic, entry('/collections/c/items/i/tiles/WebMercatorQuad/1/2/3@2x.webp', 200), origin);
  traffic = addTiming(traffic, entry('/stac/search?limit=1', 30), origin);
  traffic = addTiming(traffic, entry('/assets/map.js', 0), origin); // from the browser's cache
  traffic = addTiming(traffic, entry('/1/2/3.png', 0, 'https://basemap.example'), origin);
  traffic = addTiming(traffic, { name: 'blob:https://tiles.example/x', transferSize: 5, encodedBodySize: 5 }, origin);
  assert.deepEqual(traffic, { imagery: 200, page: 1000, map: 0, data: 30, requests: 5, unmeasured: 1 });
  assert.equal(totalOf(traffic), 1230);
  assert.equal(partOf('/prefix/collections/c/tilejson.json'), 'data');
  assert.equal(partOf('/assets/reference-1.pmtiles'), 'map');
  assert.equal(partOf('/assets/app-1.js'), 'page');
  assert.equal(partOf('/pof/drafts'), 'data');
});

test('a scene whose date nobody knows is not called one of 1970', () => {
  const geometry = { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 0]]] };
  const item = (properties: Record<string, unknown>) => parseItem({ id: 'i', collection: 'c', geometry, properties });
  const unknown = item({ datetime: '1970-01-01T00:00:00Z', 'comeo:datetime_unknown': true });
  assert.ok(unknown);
  assert.equal(dayOf(unknown), 'Date unknown');
  assert.equal(unknown.timed, false);
  const known = item({ datetime: '2019-05-30T10:30:31Z' });
  assert.ok(known);
  assert.match(dayOf(known), /2019/);
  assert.equal(known.timed, true);
});

test('what is here of a scene is read only where the server says it', () => {
  const geometry = { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 0]]] };
  const here = (properties: Record<string, unknown>) =>
    parseItem({ id: 'i', collection: 'c', geometry, properties: { datetime: '2019-05-30T10:30:31Z', ...properties } })?.here;
  assert.equal(here({}), null);
  assert.deepEqual(here({ 'comeo:completeness': 0.04, 'comeo:layers': ['head', 'coarse'] }), { share: 0.04, layers: ['head', 'coarse'] });
  assert.deepEqual(here({ 'comeo:completeness': 0.04, 'comeo:layers': 'head' }), { share: 0.04, layers: [] });
});

test('what costs the server much is asked for in turn, and what nobody wants any more takes no turn', async () => {
  let [now, most, done] = [0, 0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
    done += 1;
  };
  const gone = new AbortController();
  const all = [...Array.from({ length: 5 }, () => inTurn(work)), inTurn(() => Promise.reject(new Error('no'))), inTurn(work, gone.signal), inTurn(work)];
  gone.abort();
  const outcomes = await Promise.allSettled(all);
  assert.deepEqual([most, done], [2, 6]);
  assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 2);
});
