import assert from 'node:assert/strict';
import test from 'node:test';

import { ApiError } from '../src/api';
import { faultsOf } from '../src/geoservices/faults';
import { dotsOf, ticksOf } from '../src/geoservices/dots';
import { ownNames, slugOf } from '../src/geoservices/names';

test('what is wrong is said of the field that it is about', () => {
  const many = new ApiError('', 422, null, { errors: [{ name: 'title', detail: 'field required' }, { name: 'recipients.1.email', detail: 'no address' }] });
  assert.deepEqual(faultsOf(many), [{ field: 'title', sentence: 'Field required' }, { field: 'recipients.1.email', sentence: 'No address' }]);
  const named = new ApiError('x', 404, null, { detail: 'indicators.0: there is no indicator no; see /pof' });
  assert.deepEqual(faultsOf(named), [{ field: 'indicators.0', sentence: 'There is no indicator no; see /pof' }]);
  const whole = new ApiError('Somebody was faster.', 412, null, { detail: 'somebody was faster' });
  assert.deepEqual(faultsOf(whole), [{ field: '', sentence: 'Somebody was faster.' }]);
  assert.deepEqual(faultsOf(new Error('ours')), []);
});

test('the kind of nominal values is no part of a field’s name', () => {
  const names = ['indicators.0.nominal.fixed.low', 'indicators.1.nominal.change', 'fixed.nominal'].map((field) => ({ field, sentence: '' }));
  assert.deepEqual(ownNames(names).map(({ field }) => field), ['indicators.0.nominal.low', 'indicators.1.nominal', 'fixed.nominal']);
});

test('a short name has small letters, digits and hyphens, and is one that the server takes', () => {
  assert.equal(slugOf('Forêt de la Côte n° 2'), 'foret-de-la-cote-n-2');
  assert.equal(slugOf('غابة'), '');
  for (const title of ['-a-', 'A'.repeat(100), `${'ab '.repeat(21)}x y`, '1']) assert.match(slugOf(title), /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/);
});

test('dates without a value have no dot, and those that do not count are faint', () => {
  const at = '2020-05-01T10:00:00Z';
  const dots = dotsOf([{ datetime: at, value: 0.5, uncertainty: 0.1, side: 'low', low: 0.6 }, { datetime: at, value: 0.4, u: 0.2, reason: 'cloud' }, { datetime: at, value: null }, { value: 1 }, 'x']);
  assert.deepEqual(dots.map(({ value, u, outside, faint }) => [value, u, outside, faint]), [[0.5, 0.1, true, false], [0.4, 0.2, false, true]]);
});

test('ticks are round and lie inside', () => {
  for (const [low, high] of [[0, 1], [-0.03, 0.07], [12, 3456], [0.4501, 0.4502]] as const) {
    const ticks = ticksOf(low, high);
    assert.ok(ticks.length >= 2 && ticks.length <= 6, `${low} to ${high}: ${ticks.join()}`);
    assert.ok(ticks.every((each) => each >= low - 1e-9 && each <= high + 1e-9));
  }
});
