import assert from 'node:assert/strict';
import test from 'node:test';

import { areaOf, inArea, inMetres, lengthOf } from '../src/tools/measure/geodesic';

test('lengths and areas are geodesic', () => {
  // the meridian quadrant of WGS 84, 10 001.966 km; a degree of the equator, 111.319 km
  assert.ok(Math.abs(lengthOf([[10, 0], [10, 90]]) - 10_001_965.729) < 0.01);
  assert.ok(Math.abs(lengthOf([[0, 0], [1, 0]]) - 111_319.4908) < 0.001);
  // the ellipsoid's surface is 510 065 621.72 km²: an eighth of it
  const octant = areaOf([[0, 0], [90, 0], [0, 90]]) / 1e6;
  assert.ok(Math.abs(octant - 510_065_621.724 / 8) < 1);
  assert.equal(areaOf([[0, 0], [0, 1], [1, 1], [1, 0]]), areaOf([[0, 0], [1, 0], [1, 1], [0, 1]]));
  // across the antimeridian
  assert.ok(Math.abs(lengthOf([[179.5, 0], [-179.5, 0]]) - 111_319.4908) < 0.001);
});

test('units are those that people use', () => {
  assert.deepEqual(inMetres(12.345), { value: 12.3, unit: 'm' });
  assert.deepEqual(inMetres(12_345), { value: 12.3, unit: 'km' });
  assert.deepEqual(inArea(9_999), { value: 9_999, unit: 'm2' });
  assert.deepEqual(inArea(123_456), { value: 12.3, unit: 'ha' });
  assert.deepEqual(inArea(5.21e8), { value: 521, unit: 'km2' });
});
