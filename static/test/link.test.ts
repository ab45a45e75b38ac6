import assert from 'node:assert/strict';
import test from 'node:test';

import { formatLink, parseLink, parsePlace, type Link } from '../src/link';

const scene: Link = {
  camera: { zoom: 11.78, lat: 47.42099, lon: 8.70819 },
  layer: { collection: 'sentinel-2-l2a', item: 'S2A_T32TMT (1)/ä' },
  style: 'ndvi',
  opacity: 0.8,
  projection: 'globe',
  extras: new Map([['compare', 'S2A_1,split'], ['drawn', '8.7,47.4;8.8,47.4']]),
};

test('a link says everything that it was made from', () => {
  assert.deepEqual(parseLink(formatLink(scene)), scene);
  const mosaic: Link = { ...scene, layer: { collection: 'romania', until: '2019-05-30' }, opacity: 1, projection: 'mercator' };
  assert.deepEqual(parseLink(formatLink(mosaic)), mosaic);
  for (const layer of [{ collection: 'c', from: '2019-06-01', until: '2019-08-31', pixels: 'median' }, { collection: 'c', from: '2019-06-01', until: null }] as const) {
    assert.deepEqual(parseLink(formatLink({ ...mosaic, layer })).layer, layer);
  }
  assert.deepEqual(parseLink('#collection=c&mosaic=x/2019-08-31&pixels=sum').layer, { collection: 'c', until: '2019-08-31' });
  const newest: Link = { ...mosaic, layer: { collection: 'romania', until: null }, camera: null, style: null };
  assert.deepEqual(parseLink(formatLink(newest)), newest);
});

test('what makes no sense in a typed link is left out', () => {
  const link = parseLink('#map=99/x/200&item=alone&opacity=7&projection=cube&mosaic=');
  assert.deepEqual(link, { camera: null, layer: null, style: null, opacity: 1, projection: 'mercator', extras: new Map() });
  assert.deepEqual(parseLink('#collection=c&mosaic=<script>').layer, { collection: 'c', until: null });
});

test('a pixel of a link is a place on Earth', () => {
  assert.deepEqual(parsePlace('8.65,-47.44'), [8.65, -47.44]);
  for (const wrong of [undefined, '', '1', '1,2,3', 'x,2', '200,0', '0,91']) assert.equal(parsePlace(wrong), null);
});
