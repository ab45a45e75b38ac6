import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import type { Item, Style } from '../src/api';
import { parseFidelity } from '../src/info';
import { formatBytes, formatError, formatPlatform, formatPosition, formatRatio } from '../src/format';
import { comparison, weightOf } from '../src/panels/received';
import { movedTo } from '../src/panels/period';
import { daysOf, fraction, nearest, roomy, stopsOf, yearMarks } from '../src/panels/stops';
import { foldStyles, thumbnailBox } from '../src/panels/styles';
import { hereOf } from '../src/panels/here';
import { typicalError } from '../src/panels/view';
import { firstToShow } from '../src/viewer';
import { loadWords } from '../src/words/words';
import { initialState, Store } from '../src/store';

await Promise.all(['shell', 'meter', 'here'].map(loadWords));

const stops = ['2019-01-01', '2019-01-11', '2019-12-31'].map((key) => ({ key, date: new Date(key) }));

test('fidelity is read only where there is a figure', () => {
  const told = { expected_error: 0.0162, unit: 'reflectance', grade: 'Approximate', meaning: 'Good for viewing.' };
  assert.deepEqual(parseFidelity(told), { error: 0.0162, fieldError: null, unit: 'reflectance', grade: 'Approximate', meaning: 'Good for viewing.' });
  assert.deepEqual(parseFidelity({ expected_error: 3, unit: null, grade: null }), { error: 3, fieldError: null, unit: '', grade: '', meaning: '' });
  assert.deepEqual([null, {}, { expected_error: 'a' }, { expected_error: NaN }].map(parseFidelity), [null, null, null, null]);
  assert.deepEqual([153.6, 0.0162, 4].map(formatError), ['150', '0.016', '4']);
});

test('of radar the error of fields comes first', () => {
  const fidelity = { error: 1.21, fieldError: 0.284, unit: 'dB', grade: 'Very close', meaning: '' };
  assert.equal(typicalError(fidelity), 'typical error ±\u202f0.28 dB in means of 8×8 pixels, ±\u202f1.2 dB in a pixel');
  assert.equal(typicalError({ ...fidelity, fieldError: null, unit: '' }), 'typical error ±\u202f1.2');
});

test('the timeline is spaced as time is, and a pointer finds the nearest date', () => {
  assert.deepEqual(stops.map(({ date }) => Math.round(fraction(stops, date) * 364)), [0, 10, 364]);
  assert.deepEqual([0, 0.01, 0.02, 0.4, 0.6, 1].map((at) => nearest(stops, at)), [0, 0, 1, 1, 2, 2]);
  assert.equal(fraction(stops.slice(0, 1), new Date('2019-01-01')), 0.5);
});

test('dates that are close are ticks, and years have space', () => {
  assert.deepEqual(roomy(stops, 2000), [true, true, true]);
  assert.deepEqual(roomy(stops, 364), [false, false, true], 'ten days are ten pixels');
  const long = ['2015-08-01', '2018-01-01', '2021-02-01'].map((key) => ({ key, date: new Date(key) }));
  assert.deepEqual(yearMarks(long, 600).map(({ date }) => date.getUTCFullYear()), [2016, 2017, 2018, 2019, 2020, 2021]);
  assert.deepEqual(yearMarks(long, 90).map(({ date }) => date.getUTCFullYear()), [2016, 2019]);
  assert.deepEqual(yearMarks(stops, 600), [], 'no year begins');
});

test('a period that has a beginning keeps its length when its end moves', () => {
  assert.deepEqual(movedTo({ collection: 'c', until: null, pixels: 'median' }, '2019-08-31'), { collection: 'c', until: '2019-08-31', pixels: 'median' });
  assert.deepEqual(movedTo({ collection: 'c', from: '2019-06-01', until: '2019-06-30' }, '2019-08-30'), { collection: 'c', from: '2019-08-01', until: '2019-08-30' });
  assert.deepEqual(movedTo({ collection: 'c', from: '2019-06-01', until: null }, '2019-08-30'), { collection: 'c', from: '2019-06-01', until: '2019-08-30' });
  assert.ok((movedTo({ collection: 'c', from: '2019-06-01', until: null }, '2018-08-30') as { from: string }).from < '2018-08-30');
});

test('scenes of one day are one stop of a mosaic', () => {
  const dates = ['2020-02-02T09:00:00Z', '2019-01-01T10:00:00Z', '2020-02-02T09:00:14Z'].map((text) => item(text, text, 1));
  assert.deepEqual(daysOf(dates).map(({ key }) => key), ['2019-01-01', '2020-02-02']);
});

test('bytes and ratios have as many digits as mean something', () => {
  assert.deepEqual([0, 999, 1000, 12_345, 999_499, 999_500, 24_100_000].map(formatBytes), ['0 B', '999 B', '1.00 kB', '12.3 kB', '999 kB', '1.00 MB', '24.1 MB']);
  assert.deepEqual([1.04, 3.44, 9, 9.96, 45.2].map(formatRatio), ['1', '3.4', '9', '10', '45']);
  assert.equal(formatPosition(-8.5, 47.25), '47.25000° N, 8.50000° W');
  assert.equal(formatPlatform('sentinel-2a'), 'Sentinel-2A');
  assert.equal(formatPlatform('landsat-8'), 'landsat-8');
});

test('what was received is compared with every scene looked at', () => {
  const info = { codec: 'dct', ratio: 100, rawBytes: 1000, archiveBytes: 10, fidelity: null, styles: [], bands: [] };
  assert.equal(comparison(100, weightOf([info])), 'The imagery is 1/10 of the original.');
  assert.equal(comparison(100, weightOf([info, info])), 'The imagery is 1/20 of 2 originals.');
  assert.equal(comparison(3000, weightOf([info])), 'The imagery is 3 times the original.');
  assert.equal(comparison(3000, weightOf([])), '');
});

function item(key: string, day: string, side: number): Item {
  return {
    key, id: key, collection: 'c', datetime: new Date(day), dated: true, timed: true, bbox: [0, 0, side, side], cloudCover: null, platform: null, here: null,
    geometry: { type: 'Polygon', coordinates: [] },
  };
}

type Case = { what: string; first: string | null; scenes: [string, string, [number, number, number, number], number | null, string[]?][] };

test('the first scene shown is the one that the server names', () => {
  // tests/tileserver/api/viewer/test_page.py holds the server to the same cases
  const cases = JSON.parse(readFileSync(path.join(process.cwd(), 'test', 'first.cases.json'), 'utf8')) as Case[];
  for (const { what, first, scenes } of cases) {
    const items = scenes.map(([key, day, bbox, cloudCover, layers]): Item => ({ ...item(key, day, 1), bbox, cloudCover, here: layers ? { share: 0.1, layers } : null }));
    assert.equal(firstToShow(items)?.key ?? null, first, what);
  }
});

test('what is here of a scene is said in words, and nothing of one that is whole', () => {
  const said = (share: number, layers: string[]): string => hereOf({ ...item('a', '2020-01-01', 1), here: { share, layers } });
  assert.equal(hereOf(item('a', '2020-01-01', 1)), '');
  assert.equal(said(0.01, ['head']), 'its picture is not here yet');
  assert.equal(said(0.04, ['head', 'coarse']), 'overview only: details are not here yet');
  assert.equal(said(0.01, ['head', 'area']), 'only an area of it is here, the rest is not here yet');
  assert.equal(said(0.41, ['head', 'coarse', 'area']), '41\u202f% of it is here, elsewhere the overview is shown');
  assert.equal(said(0.999, ['head', 'coarse', 'all']), '99\u202f% of it is here, elsewhere the overview is shown');
});

test('only those who watch a field that changed are told', () => {
  const store = new Store(initialState());
  const told: string[] = [];
  store.watch(['opacity'], ({ opacity }) => told.push(`opacity ${opacity}`));
  store.watch(['style', 'error'], ({ style, error }) => told.push(`style ${style} error ${error}`));
  store.update({ opacity: 1 });
  store.update({ style: 'ndvi' });
  assert.deepEqual(told, ['opacity 1', 'style null error null', 'style ndvi error null']);
});

test('the timeline stops at what is on its way, and leaves out scenes without a date', () => {
  const series = [item('a', '2019-01-01', 1), item('b', '2020-01-01', 1), { ...item('c', '1970-01-01', 1), dated: false }];
  const [first, second, undated] = series as [Item, Item, Item];
  const layer = { collection: 'c', item: 'a' };
  const shown = { ...initialState(), layer, item: first, series };
  const keys = (state: typeof shown): string => `${stopsOf(state).stops.map(({ key }) => key).join()} at ${stopsOf(state).current}`;
  assert.equal(keys(shown), 'a,b at a');
  assert.equal(keys({ ...shown, pending: { layer: { collection: 'c', item: 'b' }, item: second, style: null } }), 'a,b at b');
  assert.equal(keys({ ...shown, layer: { collection: 'c', item: 'c' }, item: undated }), ' at c');
  assert.equal(keys({ ...shown, layer: { collection: 'c', until: null } as never }), '2019-01-01,2020-01-01 at 2020-01-01');
  assert.equal(keys({ ...shown, layer: { collection: 'c', until: '2019-07-01' } as never }), '2019-01-01,2020-01-01 at 2019-01-01');
});

test('single bands and maps of errors are folded, unless they lead', () => {
  const style = (id: string, band: string | null): Style => ({ id, title: id, description: '', band, expression: '', query: { style: id }, legend: null, rescale: [], auto: null, classes: [] });
  const ids = (styles: Style[]): string => foldStyles(styles).shown.map(({ id }) => id).join();
  assert.equal(ids([style('true', null), style('ndvi', null), style('b02', 'B02'), style('error', null)]), 'true,ndvi');
  assert.equal(ids([style('vv', 'VV'), style('vh', 'VH'), style('radar', null), style('angle', 'A')]), 'vv,vh,radar');
});

test('a thumbnail is the middle of what the view shows of a scene, in its own proportions', () => {
  assert.deepEqual(thumbnailBox([-10, -10, 10, 10], [0, 0, 3, 1]), [0.74997, 0, 2.25003, 1]);
  assert.equal(thumbnailBox([-10, -10, 0, 10], [5, 0, 8, 1]), null);
});
