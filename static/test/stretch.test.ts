import assert from 'node:assert/strict';
import test from 'node:test';

import type { Range, Style } from '../src/api';
import { formatStretch, parseStretch, pictureQuery, rangesOf, shared, type Stretch } from '../src/stretch';
import { loadWords } from '../src/words/words';
import { overlap, rangeOf, type Distribution } from '../src/tools/stretch/histogram';

await loadWords('stretch');
const style = (id: string, results: number, auto: Range[] | null): Style => ({
  id, title: id, description: '', band: null, expression: '', query: { style: id }, legend: null, rescale: Array.from({ length: results }, (): Range => [0, 0.3]), auto, classes: [],
});
const colour = style('true-color', 3, [[0.1, 0.4], [0.1, 0.4], [0.1, 0.4]]);
const index = style('ndvi', 1, null);
const own: Stretch = { kind: 'own', style: 'true-color', ranges: [[0.01, 0.2], [0, 0.21], [-0.1, 0.3]], gamma: 1.3 };

test('a link brings back a stretch, and what makes no sense is as if it were not there', () => {
  for (const stretch of [own, { ...own, gamma: 1 }, { kind: 'style' } as Stretch, { kind: 'auto' } as Stretch]) {
    assert.deepEqual(parseStretch(formatStretch(stretch) ?? undefined), stretch);
  }
  const wrong = ['', 'x', 'true-color*', 'a*1_0', 'a*0_1_2', 'a*0_x', 'a*0_1_2_3', 'a*0_1*9', 'a*0_1*x', '*0_1', 'a*0_1e99'];
  assert.deepEqual(wrong.map((text) => parseStretch(text).kind), wrong.map(() => 'auto'));
});

test('a scene is stretched to itself, an index never, and a choice is for its style alone', () => {
  assert.deepEqual(pictureQuery(colour, { kind: 'auto' }), { style: 'true-color', rescale: '0.1,0.4,0.1,0.4,0.1,0.4' });
  assert.deepEqual(pictureQuery(colour, { kind: 'style' }), { style: 'true-color' });
  assert.deepEqual(pictureQuery(index, { kind: 'auto' }), { style: 'ndvi' });
  assert.deepEqual(pictureQuery(colour, own), { style: 'true-color', rescale: '0.01,0.2,0,0.21,-0.1,0.3', color_formula: 'gamma RGB 1.3' });
  assert.equal(rangesOf(index, own), null);
  assert.deepEqual(pictureQuery(style('false-color', 3, null), own), { style: 'false-color' });
});

test('what shared a range before shares one after', () => {
  const before: Range[] = [[0, 0.5], [0, 0.3], [0, 0.3]];
  assert.deepEqual(shared([[0.1, 0.4], [0.02, 0.1], [0.05, 0.2]], before), [[0.1, 0.4], [0.02, 0.2], [0.02, 0.2]]);
});

test('percentiles of a view make a range, never an empty one', () => {
  const found: Distribution = { counts: [1], edges: [0, 1], percentiles: new Map([[0, 0], [2, 0.1], [98, 0.9], [100, 1]]) };
  assert.deepEqual([rangeOf(found, 2), rangeOf(found, 0)], [[0.1, 0.9], [0, 1]]);
  assert.deepEqual(rangeOf({ ...found, percentiles: new Map([[2, 5], [98, 5]]) }, 2), [5, 10]);
  assert.deepEqual(overlap([0, 0, 2, 2], [1, -1, 3, 1]), [1, 0, 2, 1]);
  assert.equal(overlap([0, 0, 1, 1], [2, 2, 3, 3]), null);
});
