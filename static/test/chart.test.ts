import assert from 'node:assert/strict';
import test from 'node:test';

import { zipSync } from 'fflate';
import type { Feature, GeoJSON } from 'geojson';

import type { Style } from '../src/api';
import { loadWords } from '../src/words/words';
import { csvOf, edgeOf, extremesOf, overTime, overYears, valuesOf } from '../src/tools/chart/curve';
import { areaAround, FieldError, fieldsOf } from '../src/tools/chart/fields';
import { readFields } from '../src/tools/chart/files';
import { extremesOf as extremesOfYear, monthsOf, pictureOf } from '../src/tools/chart/months';
import { formatPlace, parsePlace } from '../src/tools/chart/place';
import { areaOf, boxOf, cloudy, type Curve, type Observation } from '../src/tools/chart/series';

await loadWords('chart');

const seen = (day: string, value: number | null, more: Partial<Observation> = {}): Observation => ({
  item: day, date: new Date(`${day}T10:00:00Z`), value, uncertainty: 0.01, spread: 0.1, clear: 1, pixels: 100, ...more,
});
const square: GeoJSON = { type: 'Polygon', coordinates: [[[8, 47], [8.01, 47], [8.01, 47.01], [8, 47.01], [8, 47]]] };
const curve = (name: string, observations: Observation[]): Curve => ({ field: { name, geometry: square as never }, style: 'ndvi', observations });
const walk = [[8, 47, 400], [8.01, 47, 401], [8.01, 47.01, 402], [8, 47.01, 403], [8.0002, 47.0001, 400]];

test('fields come with their names, without heights, and whatever surrounds them', () => {
  const named = (name: string, geometry: unknown): Feature => ({ type: 'Feature', properties: { Name: name }, geometry: geometry as never });
  const found = fieldsOf({ type: 'FeatureCollection', features: [named('north', square), named('walk', { type: 'LineString', coordinates: walk }), named('tree', { type: 'MultiPoint', coordinates: [[8, 47, 1], [9, 48]] })] });
  assert.deepEqual(found.map(({ name, geometry }) => [name, geometry.type]), [['north', 'Polygon'], ['walk', 'Polygon'], ['tree', 'Point'], ['tree', 'Point']]);
  assert.deepEqual(found[2]?.geometry, { type: 'Point', coordinates: [8, 47] });
  const ring = (found[1]?.geometry as { coordinates: number[][][] }).coordinates[0] ?? [];
  assert.deepEqual(ring[0], ring[ring.length - 1]);
  assert.ok(ring.every((place) => place.length === 2));
  assert.equal(fieldsOf(square)[0]?.name, '');
});

test('what has no area, too many, or no degrees is refused with its reason', () => {
  const reason = (document: GeoJSON): string => {
    try {
      fieldsOf(document);
    } catch (error) {
      return error instanceof FieldError ? error.reason : String(error);
    }
    return '';
  };
  const away = { type: 'LineString', coordinates: [[8, 47], [8.1, 47], [8.2, 47.1], [8.3, 47.2]] } as GeoJSON;
  assert.equal(areaAround((away as { coordinates: number[][] }).coordinates), null);
  assert.equal(reason(away), 'no-fields');
  assert.equal(reason({ type: 'FeatureCollection', features: [] }), 'no-fields');
  assert.equal(reason({ type: 'Point', coordinates: [472_480, 5_257_490] }), 'not-degrees');
  assert.equal(reason({ type: 'Point', coordinates: [NaN, 0] }), 'not-degrees');
  assert.equal(reason({ type: 'MultiPoint', coordinates: Array.from({ length: 501 }, () => [0, 0]) }), 'too-many-fields');
});

test('curves share one axis of time, and cloudy values are kept apart', () => {
  const lines = overTime([
    curve('a', [seen('2019-05-01', 0.5), seen('2019-06-01', 0.2, { clear: 0.3 })]),
    curve('b', [seen('2019-06-01', 0.7), seen('2019-07-01', 0.8, { uncertainty: null })]),
  ], ({ field }) => field.name);
  assert.equal(lines.times.length, 3);
  const [a, b] = lines.lines;
  assert.ok(a && b);
  assert.deepEqual([valuesOf(a, false), valuesOf(a, true)], [[0.5, null, null], [null, 0.2, null]]);
  assert.deepEqual([edgeOf(a, 1), edgeOf(a, -1)], [[0.52, null, null], [0.48, null, null]], 'twice the standard uncertainty');
  assert.deepEqual(edgeOf(b, 1), [null, 0.72, null], 'no band where the uncertainty is unknown');
  assert.equal(cloudy(seen('2019-05-01', 1, { clear: null })), false, 'unknown is not cloudy');
});

test('of two tiles of one moment the one that shows more of the field counts', () => {
  const [line] = overTime([curve('a', [seen('2019-05-01', 0.5, { pixels: 3 }), seen('2019-05-01', 0.6, { pixels: 90 }), seen('2019-05-01', null, { pixels: 200 })])], () => '').lines;
  assert.equal(line?.observations[0]?.value, 0.6);
});

test('years lie over one another by their days, 29 February included', () => {
  const lines = overYears(curve('a', [seen('2019-03-01', 1), seen('2020-02-29', 2), seen('2020-03-01', 3)]));
  assert.deepEqual(lines.lines.map(({ label }) => label), ['2019', '2020']);
  assert.equal(lines.times.length, 2);
  assert.deepEqual(lines.lines.map((line) => valuesOf(line, false)), [[null, 1], [2, 3]]);
});

test('a table of comma-separated values holds every date, and no formula of a spreadsheet', () => {
  const text = csvOf([curve('=cmd()|"x", y', [seen('2019-05-01', 0.5), seen('2019-06-01', null, { clear: null })])]);
  const rows = text.trimEnd().split('\r\n');
  assert.equal(rows[0], 'field,indicator,date,time,item,value,uncertainty,spread,clear,pixels');
  assert.equal(rows[1], `"'=cmd()|""x"", y",ndvi,2019-05-01,10:00:00,2019-05-01,0.5,0.01,0.1,1,100`);
  assert.match(rows[2] ?? '', /2019-06-01,,0.01,0.1,,100$/);
});

test('a link carries a pixel or one field, and nothing that makes no sense', () => {
  const field = fieldsOf(square);
  const text = formatPlace(['ndvi', 'ours@1.1.0'], field);
  assert.equal(text, 'ndvi*ours@1.1.0*8_47_8.01_47_8.01_47.01_8_47.01');
  assert.deepEqual(parsePlace(text ?? ''), { styles: ['ndvi', 'ours@1.1.0'], fields: [square] });
  assert.deepEqual(parsePlace('*8.5_47')?.fields, [{ type: 'Point', coordinates: [8.5, 47] }]);
  assert.deepEqual(['', '*', 'ndvi*8', 'ndvi*8_47_9_48', 'ndvi*400_0', 'ndvi*8_x', 'ndvi*8__'].map(parsePlace), Array(7).fill(null));
  assert.equal(formatPlace(['ndvi'], [...field, ...field]), null);
});

test('a point stands for the pixel around it', () => {
  const area = areaOf({ type: 'Point', coordinates: [8, 60] });
  const box = boxOf([{ name: '', geometry: { type: 'Point', coordinates: [8, 60] } }]);
  assert.equal(area.type, 'Polygon');
  assert.ok(box);
  const metres = [(box[2] - box[0]) * 111_320 * Math.cos(Math.PI / 3), (box[3] - box[1]) * 111_320];
  assert.ok(metres.every((side) => Math.abs(side - 10) < 0.1), String(metres));
});

test('indices are offered before single bands, what is shown first', async () => {
  const { firstIndicator, indicatorsOf } = await import('../src/tools/chart/indicators');
  const legend = { minimum: 0, maximum: 1, unit: '', colors: ['#000000', '#ffffff'] };
  const style = (id: string, more: Partial<Style> = {}): Style => ({ id, title: id, description: '', band: null, expression: '', query: { style: id }, legend, rescale: [], auto: null, classes: [], ...more });
  const optical = [style('true-color', { legend: null }), style('ndvi'), style('error'), style('b04', { band: 'B04' }), style('clear', { classes: [{ name: 'a', title: 'x', color: '#000000' }] })];
  assert.deepEqual(indicatorsOf(optical).map(({ id }) => id), ['ndvi']);
  assert.deepEqual(indicatorsOf([style('vv', { band: 'VV' }), style('radar', { legend: null })]).map(({ id }) => id), ['vv']);
  const offered = [style('evi'), style('ndvi')];
  assert.deepEqual([firstIndicator(offered, 'evi'), firstIndicator(offered, 'true-color'), firstIndicator([], 'evi')], ['evi', 'ndvi', null]);
});

test('months are means of their clear dates, and the highest and lowest of a year are known', () => {
  const dates = [seen('2019-06-10', 0.8), seen('2019-06-20', 0.6, { clear: 0.9 }), seen('2019-06-25', 0.1, { clear: 0.2 }), seen('2019-08-01', 0.5), seen('2020-01-05', null), seen('2020-02-05', 0.3)];
  const months = monthsOf([...dates].reverse());
  assert.deepEqual(months.map(({ year, month, dates: of }) => [year, month, of.length]), [[2019, 5, 2], [2019, 7, 1], [2020, 1, 1]]);
  assert.ok(Math.abs((months[0]?.value ?? 0) - 0.7) < 1e-12);
  assert.ok(Math.abs((months[0]?.uncertainty ?? 0) - 0.01 / Math.SQRT2) < 1e-12);
  assert.equal(monthsOf([seen('2019-06-10', 0.8, { uncertainty: null })])[0]?.uncertainty, null);
  assert.equal(months[0] && pictureOf(months[0]).item, '2019-06-10', 'the clearest');
  const year = extremesOfYear(months.filter((each) => each.year === 2019));
  assert.deepEqual([year.highest?.month, year.lowest?.month], [5, 7]);
  assert.deepEqual(extremesOfYear(months.slice(2)), { highest: null, lowest: null });
});

test('the ends of a curve are of clear dates', () => {
  const lines = overTime([curve('a', [seen('2019-06-01', 0.5), seen('2019-06-02', 0.9, { clear: 0.1 }), seen('2019-06-03', 0.7), seen('2019-06-04', 0.2)])], () => '');
  assert.deepEqual(extremesOf(lines), [{ kind: 'highest', index: 2, value: 0.7 }, { kind: 'lowest', index: 3, value: 0.2 }]);
  assert.deepEqual(extremesOf(overTime([curve('a', [seen('2019-06-01', 0.5)])], () => '')), []);
});

test('a file that unpacks to more than a page can hold is refused before it is', async () => {
  const bomb = zipSync({ 'doc.kml': new Uint8Array(30_000_000), 'fields.shp': new Uint8Array(30_000_000) });
  assert.ok(bomb.length < 100_000);
  for (const name of ['bomb.kmz', 'bomb.zip']) {
    await assert.rejects(readFields(new File([new Uint8Array(bomb)], name)), (error) => error instanceof FieldError && error.reason === 'file-large');
  }
  const broken = readFields(new File(['PK no zip'], 'broken.zip'));
  await assert.rejects(broken, (error) => error instanceof FieldError && error.reason === 'file-damaged');
});

test('a track of half a million places is an area, too', () => {
  const places = Array.from({ length: 500_000 }, (_, number): [number, number] => [Math.sin(number / 1e5), Math.cos(number / 1e5)]);
  assert.equal(areaAround([...places, [0, 1]])?.type, 'Polygon');
});
