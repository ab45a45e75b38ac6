import assert from 'node:assert/strict';
import test from 'node:test';

import { bandsOf, documentOf, idOf } from '../src/documents';
import { formatIndicator, needsDocument, ownOf, parseIndicator, readClasses, styleOf, type Indicator } from '../src/indicator';
import { indicatorOf } from '../src/tools/indicator/document';
import { loadWords } from '../src/words/words';
import { completions, faultOf, operationsOf } from '../src/tools/indicator/formula';

await loadWords('shell');
const BANDS = ['B02', 'B04', 'B08', 'B11'];
const soil: Indicator = { title: 'Bare soil', formula: '((B11+B04)-(B08+B02))/((B11+B04)+(B08+B02))', range: [-0.4, 0.4], colormap: 'brbg', mask: 'land', valid: '', classes: [] };
const cut: Indicator = { ...soil, colormap: 'viridis', valid: 'B08 > 0.02', classes: [{ from: -0.4, to: 0, color: '#1a9850', title: 'covered' }, { from: 0, to: 0.4, color: '#8c510a', title: 'bare' }] };

test('a link brings back an indicator, and nothing that makes no sense', () => {
  assert.deepEqual(parseIndicator(formatIndicator(soil)), soil);
  assert.deepEqual(parseIndicator(formatIndicator({ ...soil, mask: '' })), { ...soil, mask: '' });
  const wrong = ['', '{', '[]', '{"formula":"B04"}', '{"formula":"B04","range":[1,0]}', '{"formula":"B04;B03","range":[0,1]}', '{"formula":"B04","range":[0,1],"colormap":"constructor"}', '{"formula":"B04","range":[0,1],"mask":"x"}', `{"formula":"${'B'.repeat(1001)}","range":[0,1]}`];
  assert.deepEqual(wrong.map((each) => parseIndicator(each)), wrong.map(() => null));
});

test('an indicator is a style among the others, the first of them', () => {
  const style = styleOf(soil);
  assert.deepEqual(style.query, { expression: soil.formula, colormap_name: 'brbg', rescale: '-0.4,0.4', mask: 'land' });
  assert.deepEqual(ownOf(new Map([['indicator', formatIndicator(cut)]])), cut);
  assert.deepEqual([needsDocument(soil), needsDocument(cut), needsDocument({ ...soil, valid: 'B04 > 0' })], [false, true, true]);
  const classes = styleOf(cut, 'draft-1');
  assert.deepEqual([classes.query, classes.legend, classes.classes.map(({ title }) => title)], [{ style: 'draft-1' }, null, ['covered', 'bare']]);
});

test('classes rise and do not overlap', () => {
  const one = { from: 0, to: 1, color: '#000000', title: '' };
  assert.deepEqual(readClasses([one, { ...one, from: 1, to: 2 }])?.length, 2);
  for (const wrong of [[{ ...one, to: 0 }], [one, one], [{ ...one, color: 'red' }], 'x', Array.from({ length: 13 }, (_, from) => ({ ...one, from, to: from + 1 })), [null]]) assert.equal(readClasses(wrong), null);
});

test('a document comes back from its file as it was, and others are refused', () => {
  for (const each of [soil, cut]) assert.deepEqual(indicatorOf(documentOf(each, 'fields', BANDS)), each);
  assert.equal(idOf({ ...soil, title: 'Sol nu – été' }), 'sol-nu-ete');
  assert.equal(idOf({ ...soil, title: 'تربة' }), 'indicator');
  const written = JSON.parse(documentOf(soil, 'fields', BANDS)) as Record<string, unknown>;
  const renamed = { ...written, inputs: { s2: { bands: { red: 'B04', nir: ['B08', 'B8A'] } } }, let: { sum: 'nir + red', twice: '2 * sum' }, value: { formula: 'twice / (nir - red)' } };
  assert.equal(indicatorOf(JSON.stringify(renamed))?.formula, '(2 * (B08 + B04)) / (B08 - B04)');
  const swapped = { ...written, inputs: { s2: { bands: { B04: 'B08', B08: 'B04' } } }, value: { formula: 'B04 - B08' } };
  assert.equal(indicatorOf(JSON.stringify(swapped))?.formula, 'B08 - B04');
  const endless = { ...written, let: { a: 'a + a' }, value: { formula: 'a' } };
  for (const other of [endless, { ...written, inputs: { s2: { bands: { B04: 'B04' }, mask: { keep: ['land', 'water'] } } } }, { ...written, value: { formula: 'B04', range: [0, 1] } }, { ...written, value: { formula: ['B04', 'B08'] } }, 'no document']) {
    assert.equal(indicatorOf(typeof other === 'string' ? other : JSON.stringify(other)), null);
  }
});

test('what is wrong is told with its place, and what may have been meant', () => {
  assert.equal(faultOf(soil.formula, BANDS), null);
  assert.deepEqual(faultOf('B08 - B4', BANDS), { reason: 'unknown-word', offset: 6, length: 2, hint: 'B04' });
  assert.deepEqual(faultOf('sqr(B04)', BANDS)?.hint, 'sqrt');
  assert.deepEqual(faultOf('nonsense', BANDS)?.hint, null);
  for (const [word, hint] of [['b08', 'B08'], ['B80', 'B08'], ['B13', null], ['wheer', 'where'], ['x', null]] as const) assert.equal(faultOf(word, BANDS)?.hint, hint);
  for (const band of ['B03', 'B12', 'VV']) assert.deepEqual(faultOf(band, BANDS), { reason: 'no-band', offset: 0, length: band.length, hint: null });
  assert.equal(faultOf('if_(B08 > 0 and not B04 > 1, nd(B08, B04), 0)', BANDS), null);
  assert.equal(faultOf('1e-3 * B04 + 2.5E+2', BANDS), null);
  assert.deepEqual([faultOf('(B04', BANDS), faultOf('B04)', BANDS), faultOf('B04 +', BANDS), faultOf('B04;B08', BANDS)].map((fault) => [fault?.reason, fault?.offset]), [['open-bracket', 0], ['closed-bracket', 3], ['odd-sign', 4], ['one-result', 3]]);
});

test('bands and functions complete the word at the cursor', () => {
  assert.deepEqual(completions('B0', 2, BANDS), { from: 0, to: 2, words: ['B02', 'B04', 'B08'] });
  assert.deepEqual(completions('(ma', 3, BANDS).words, ['max']);
  assert.deepEqual(completions('(', 1, BANDS).words, BANDS);
  assert.deepEqual(completions('B08-B04', 6, BANDS), { from: 4, to: 7, words: ['B02', 'B08'] });
  assert.deepEqual(bandsOf('B08/B04 + B08', BANDS), ['B08', 'B04']);
  assert.equal(operationsOf('max(B08 - B04, 0) / 2'), 3);
});
