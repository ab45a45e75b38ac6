import assert from 'node:assert/strict';
import test from 'node:test';

import { areaOf, bboxOf, contains, unionOf } from '../src/geo';
import { graticule, stepAt } from '../src/map/graticule';
import { wantsDoubled } from '../src/map/imagery';

const ring = (low: number, high: number): number[][] => [[low, low], [high, low], [high, high], [low, high], [low, low]];

test('a point in a hole is outside, in another part of the area inside', () => {
  const area = { type: 'MultiPolygon' as const, coordinates: [[ring(0, 10), ring(4, 6)], [ring(20, 22)]] };
  assert.equal(contains(area, 2, 2), true);
  assert.equal(contains(area, 5, 5), false);
  assert.equal(contains(area, 21, 21), true);
  assert.equal(contains(area, 15, 15), false);
  assert.deepEqual(bboxOf(area), [0, 0, 22, 22]);
});

test('an area with broken numbers has no box', () => {
  assert.equal(bboxOf({ type: 'Polygon', coordinates: [[[0, 0], [NaN, 1], [1, 1]]] }), null);
  assert.equal(bboxOf({ type: 'Polygon', coordinates: [] }), null);
  assert.equal(unionOf([]), null);
});

test('a degree of longitude is shorter away from the equator', () => {
  assert.equal(areaOf([10, -1, 12, 1]), 4);
  assert.ok(Math.abs(areaOf([10, 59, 12, 61]) - 2) < 1e-9);
});

test('the graticule covers the view with lines at whole steps, and never too many', () => {
  for (const zoom of [0, 2, 4, 6, 8, 10, 12, 14, 18]) {
    const step = stepAt(zoom);
    const width = 1400 / (512 * 2 ** zoom) * 360;
    const { features } = graticule([8, 47, 8 + width, Math.min(85, 47 + width)], step);
    assert.ok(features.length < 80, `${features.length} lines at zoom ${zoom}`);
    for (const { geometry, properties } of features) {
      const [[x0 = 0, y0 = 0] = [], ...rest] = geometry.coordinates;
      const [x1 = 0, y1 = 0] = rest[rest.length - 1] ?? [];
      const fixed = x0 === x1 ? x0 : y0;
      assert.ok(x0 === x1 || y0 === y1, 'a line follows a meridian or a parallel');
      assert.ok(Math.abs(fixed / step - Math.round(fixed / step)) < 1e-6, `${properties?.['label']} is no multiple of ${step}`);
    }
  }
});

test('meridians are named by where they are, beyond the antimeridian too', () => {
  const labels = graticule([178, -1, 182, 1], 1).features.map((feature) => feature.properties?.['label'] as string);
  assert.ok(labels.includes('179° E') && labels.includes('179° W') && labels.includes('1° S') && labels.includes('0°'));
});

test('dense screens get dense tiles unless bytes are dear', () => {
  assert.equal(wantsDoubled(2, false), true);
  assert.equal(wantsDoubled(1, false), false);
  assert.equal(wantsDoubled(3, true), false);
});
