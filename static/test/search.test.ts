import assert from 'node:assert/strict';
import test from 'node:test';

import { parsePosition } from '../src/search/coordinates';
import { chosenScenes, sortScenes, type Found } from '../src/tools/search/scenes';
import type { Item } from '../src/api';
import { monthOf } from '../src/tools/search/month';
import { loadWords } from '../src/words/words';

await loadWords('search');

const near = async (text: string, lat: number, lon: number, tolerance = 1e-3): Promise<void> => {
  const found = await parsePosition(text);
  assert.ok(found && Math.abs(found.lat - lat) < tolerance && Math.abs(found.lon - lon) < tolerance, `${text}: ${JSON.stringify(found)}`);
};

test('degrees are read as people write them', async () => {
  for (const text of ['47.3769, 8.5417', '47.3769 8.5417', '47,3769; 8,5417', '47.3769N 8.5417E', 'N47.3769 E8.5417', '8.5417E, 47.3769N', `47°22'36.8"N 8°32'30.1"E`, '47° 22′ 36.8″ N, 8° 32′ 30.1″ E', '47°22.614\'N 8°32.502\'E']) {
    await near(text, 47.3769, 8.5417);
  }
  await near('-1.2921, 36.8219', -1.2921, 36.8219);
  await near("1°17'32\"S 36°49'19\"E", -1.2922, 36.8219);
  await near('14.7 N 17.45 O', 14.7, -17.45);
  await near('120.5, 14.6', 14.6, 120.5);
});

test('UTM, MGRS and tiles of Sentinel-2 are read', async () => {
  await near('32T 465343 5247130', 47.3769, 8.5409, 2e-2);
  await near('37S 257655 9857070', -1.2921, 36.822, 2e-2);
  await near('32TMT6534347130', 47.3769, 8.5409, 2e-2);
  for (const text of ['32TMT', 'T32TMT', '32 T MT']) {
    const tile = await parsePosition(text);
    assert.ok(tile?.box, text);
    assert.ok(tile.box[0] < 8.5 && tile.box[2] > 8.5 && tile.box[1] < 47.4 && tile.box[3] > 47.4, `${text}: ${tile.box}`);
  }
});

test('what is no position is none', async () => {
  for (const text of ['', 'Nairobi', '47.3', '91, 181', '47 99 99, 8', '47N 8N', '99TMT', '32TII', '61T 465343 5247130', '-47N, 8E', '47°70\'N 8°E']) {
    assert.equal(await parsePosition(text), null, text);
  }
});

const scene = (id: string, day: string, cloud: number | null, covered = 100): Found => ({
  item: { key: `c/${id}`, id, collection: 'c', datetime: new Date(day), cloudCover: 50 } as Item, cloud, covered,
});

test('scenes are kept by their cloud over the view, and those that do not tell are counted', () => {
  const all = [scene('a', '2020-01-01', 5), scene('b', '2020-02-01', 80), scene('c', '2020-03-01', null), scene('d', '2020-04-01', 0, 0)];
  const { kept, untold } = chosenScenes(all, 20);
  assert.deepEqual([kept.map(({ item }) => item.id), untold], [['a'], 1], 'what has no pixel in the view is not clear there');
  assert.equal(chosenScenes(all, 100).kept.length, 4);
  assert.deepEqual(sortScenes(all, 'cloud').map(({ item }) => item.id), ['d', 'a', 'b', 'c']);
  assert.deepEqual(sortScenes(all, 'date').map(({ item }) => item.id), ['d', 'c', 'b', 'a']);
});

test('a month has its days in weeks, each with the clearest of its scenes', () => {
  const all = [scene('a', '2020-02-03T10:00:00Z', 40), scene('b', '2020-02-03T11:00:00Z', 10), scene('c', '2020-02-29', null)];
  const weeks = monthOf(all, 2020, 1, 1);
  assert.equal(weeks.length, 5);
  assert.deepEqual(weeks[0]?.map((day) => day?.number ?? null), [null, null, null, null, null, 1, 2], 'from Monday');
  const days = weeks.flat().filter((day) => day !== null);
  assert.equal(days.length, 29);
  assert.deepEqual(days.filter(({ scene }) => scene).map(({ number, scene }) => [number, scene?.item.id]), [[3, 'b'], [29, 'c']]);
  assert.equal(monthOf(all, 2020, 1, 7)[0]?.[6]?.number, 1, 'from Sunday');
});
