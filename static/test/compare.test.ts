import assert from 'node:assert/strict';
import test from 'node:test';

import type { Item } from '../src/api';
import { polygonOf, type BBox } from '../src/geo';
import { initialState } from '../src/store';
import { choicesOf, firstChoice } from '../src/tools/compare/choices';
import { differenceOf } from '../src/tools/compare/verdict';
import { formatComparison, parseComparison, type Comparison } from '../src/tools/compare/link';

const item = (id: string, day: string, bbox: BBox = [0, 0, 1, 1]): Item => ({
  key: `c/${id}`, id, collection: 'c', datetime: new Date(`${day}T10:00:00Z`), dated: true, timed: true, bbox, geometry: polygonOf(bbox), cloudCover: null, platform: null, here: null,
});

test('a comparison survives its link', () => {
  const comparison: Comparison = { mode: 'difference', at: 0.25, style: 'ndvi@1', collection: 'a/b', item: 'S2 (ä)' };
  assert.deepEqual(parseComparison(formatComparison(comparison)), comparison);
  assert.deepEqual(parseComparison(formatComparison({ ...comparison, style: null })), { ...comparison, style: null });
  for (const wrong of ['', 'swipe', 'cube/0.5//a/b', 'swipe/2//a/b', 'swipe/0.5//a', 'swipe/0.5//a/b/c', 'swipe/0.5//%E0/b']) {
    assert.equal(parseComparison(wrong), null, wrong);
  }
});

test('the date before comes first, then the one after, then another scene that lies here', () => {
  const [april, july, september] = [item('a', '2019-04-07'), item('j', '2019-07-01'), item('s', '2019-09-19')];
  const [here, elsewhere] = [{ ...item('r', '2019-05-01'), key: 'radar/r', collection: 'radar' }, item('e', '2019-05-02', [5, 5, 6, 6])];
  const state = { ...initialState(), item: july, series: [april, july, september], items: [april, july, september, here, elsewhere] };
  const choices = choicesOf(state);
  assert.deepEqual(choices.dates.map(({ id }) => id), ['s', 'a']);
  assert.deepEqual(choices.scenes.map(({ id }) => id), ['r']);
  assert.equal(firstChoice(july, choices)?.id, 'a');
  assert.equal(firstChoice(april, choicesOf({ ...state, item: april }))?.id, 'j');
  assert.equal(firstChoice(april, choicesOf({ ...state, item: april, series: [april] }))?.id, 's');
  assert.equal(firstChoice(april, choicesOf({ ...initialState(), item: april })), null);
});

test('a difference of two means is sure where it exceeds what both may be off by', () => {
  const mean = (value: number | null, uncertainty: number | null = 0.03): { value: number | null; uncertainty: number | null } => ({ value, uncertainty });
  assert.equal(differenceOf(mean(0.5), mean(0.4))?.verdict, 'higher');
  assert.equal(differenceOf(mean(0.4), mean(0.5))?.verdict, 'lower');
  assert.ok(Math.abs((differenceOf(mean(0.5), mean(0.4))?.margin ?? 0) - 2 * Math.hypot(0.03, 0.03)) < 1e-12);
  assert.equal(differenceOf(mean(0.5), mean(0.4, 0.06))?.verdict, 'unsure');
  assert.deepEqual([differenceOf(mean(0.5, null), mean(0.4))?.margin, differenceOf(mean(0.5, null), mean(0.4))?.verdict], [null, 'unknown']);
  assert.equal(differenceOf(mean(0.5), mean(null)), null);
  assert.equal(differenceOf(null, mean(0.5)), null);
});
