import assert from 'node:assert/strict';
import test from 'node:test';

import type { BBox } from '../src/geo';
import { fit, frameOf, project, unproject, viewOf } from '../src/mercator';

const frame = { left: 0, top: 0, width: 920, height: 728 };
const near = (a: readonly number[], b: readonly number[], by: number): void =>
  a.forEach((value, place) => assert.ok(Math.abs(value - (b[place] ?? NaN)) < by, `${a.join()} is not ${b.join()}`));

test('places go to the world and back', () => {
  near(project(0, 0), [0.5, 0.5], 1e-12);
  near(project(180, 85.0511287798), [1, 0], 1e-9);
  for (const place of [[8.7, 47.4], [-70, -33], [38.4, 7]] as const) {
    const [x, y] = project(place[0], place[1]);
    near(unproject(x, y), place, 1e-9);
  }
});

test('a box that is fitted fills the frame but for its margin, and is in the middle', () => {
  const box: BBox = [8, 47, 9, 47.5];
  const shown = frameOf(box, fit(box, frame), frame);
  near([shown.left + shown.width / 2, shown.top + shown.height / 2], [460, 364], 1e-6);
  assert.ok(Math.abs(Math.min(920 - shown.width, 728 - shown.height) - 64) < 1e-6);
  assert.equal(fit([8, 47, 8.0001, 47.0001], frame).zoom, 16);
});

test('a view is what a camera shows, and the frame of that is the frame', () => {
  const camera = { lon: 22.15, lat: 45.2, zoom: 11.3 };
  const shown = frameOf(viewOf(camera, frame), camera, frame);
  near([shown.left, shown.top, shown.width, shown.height], [0, 0, 920, 728], 1e-6);
});
