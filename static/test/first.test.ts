import assert from 'node:assert/strict';
import test from 'node:test';

import { queryOf } from '../src/first';
import { formatIndicator } from '../src/indicator';
import { loadWords } from '../src/words/words';

await loadWords('shell');

const link = (style: string | null, extras: Record<string, string> = {}): Parameters<typeof queryOf>[0] => ({ style, extras: new Map(Object.entries(extras)) });

test('the first picture has the style and the stretch of the link', () => {
  assert.deepEqual(queryOf(link(null)), { rescale: 'auto' });
  assert.deepEqual(queryOf(link('ndvi')), { style: 'ndvi', rescale: 'auto' });
  assert.deepEqual(queryOf(link('ndvi', { stretch: 'style' })), { style: 'ndvi' });
  assert.deepEqual(queryOf(link('b04', { stretch: 'b04*0.1_0.3' })), { style: 'b04', rescale: '0.1,0.3' });
});

test('an indicator of the link is drawn as it is', () => {
  const indicator = formatIndicator({ title: 'x', formula: 'B08-B04', range: [0, 1], colormap: 'ylgn', mask: '', valid: '', classes: [] });
  const query = queryOf(link('own', { indicator }));
  assert.equal(query?.['expression'], 'B08-B04');
  assert.equal(query?.['style'], undefined);
  const cut = JSON.stringify({ ...JSON.parse(indicator), valid: 'B08 > 0' });
  assert.equal(queryOf(link('own', { indicator: cut })), null, 'which the server is still to be given');
});
