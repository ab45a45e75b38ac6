import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { keepBack, takeBack } from '../src/geoservices/back';
import { ownFirst } from '../src/geoservices/bulletins/list';
import { isAtWork, stepsOf } from '../src/geoservices/bulletins/steps';
import { cellOf } from '../src/geoservices/dashboard/carpet';
import { nameOf, rampColour } from '../src/geoservices/dashboard/colours';
import { boundsOf, valueRange, viewOfSites } from '../src/geoservices/dashboard/map';
import { unusualFirst } from '../src/geoservices/dashboard/multiples';
import {
  byDay, daysOf, joined, nominalSpans, otherYears, parseSeries, rangeOf, scenesToShow, severityOf, standingOf, valueSpans, type Observation, type SiteSeries,
} from '../src/geoservices/dashboard/observation';
import { endingAt, halves, parsePeriod, within } from '../src/geoservices/dashboard/period';
import { parseBrief, parseGeoservice, textIn } from '../src/geoservices/model';
import { formatRoute, linkTo, parseRoute } from '../src/geoservices/route';
import type { Bulletin, Site } from '../src/geoservices/dashboard/fetching';

const on = (day: string, changes: Partial<Observation> = {}): Observation => ({
  collection: 'c', item: day, date: new Date(`${day}T10:00:00Z`), value: 0.5, uncertainty: 0.01, clear: 1, low: null, high: null, side: null, score: null, reason: '', ...changes,
});
const site = (number: number, observations: Observation[]): SiteSeries => ({ site: number, name: `site ${number}`, observations });

test('a fragment names a view, and nonsense is the list', () => {
  assert.deepEqual(parseRoute(''), { name: 'list', slug: '', settings: new Map() });
  assert.deepEqual(parseRoute('#geoservice=forest-1&site=3&lang=fr'), { name: 'geoservice', slug: 'forest-1', settings: new Map([['site', '3']]) });
  assert.equal(parseRoute('#queue=x').name, 'queue');
  assert.equal(parseRoute('#new').name, 'new');
  assert.equal(parseRoute('#sign-in=').name, 'sign-in');
  for (const wrong of ['#geoservice=', '#geoservice=../account', '#geoservice=A', '#other', '#%']) assert.equal(parseRoute(wrong).name, 'list');
  assert.equal(parseRoute(`#geoservice=x&day=${'9'.repeat(300)}`).settings.size, 0);
  const link = linkTo('geoservice', 'x', { indicator: 'a b&c' });
  assert.equal(formatRoute(parseRoute(link)), link);
  assert.equal(parseRoute(link).settings.get('indicator'), 'a b&c');
});

test('what the server tells is checked', () => {
  const row = { slug: 's', title: { fr: 'Forêt' }, state: 'active', visibility: 'public', collections: ['c', 7], role: 'king', open_alerts: 2 };
  assert.deepEqual(parseBrief(row), { slug: 's', title: 'Forêt', state: 'active', isPublic: true, collections: ['c'], role: null, openAlerts: 2 });
  assert.equal(parseBrief({ ...row, state: 'odd' }), null);
  const whole = parseGeoservice({ ...row, start: '2018-01-01', indicators: [{ id: 'ndvi', nominal: { kind: 'seasonal', min_dates: 5 } }, {}] });
  assert.deepEqual(whole?.indicators, [{ id: 'ndvi', title: 'ndvi', unit: '', nominal: { kind: 'seasonal', side: 'low', least: 5 } }]);
  assert.equal(textIn({ en: 'a', xx: 'b' }, 'c'), 'a');
  assert.equal(textIn(null, 'c'), 'c');
});

test('series are read with what makes sense of them', () => {
  const row = { item: 'i', datetime: '2020-01-01T00:00:00Z', value: 1, uncertainty: null, side: 'odd', reason: null };
  const [found] = parseSeries({ series: [{ site: 1, name: { en: 'A' }, observations: [row, { item: 'x' }, { ...row, item: 'early', datetime: '2019-01-01T00:00:00Z' }] }, {}] });
  assert.equal(found?.name, 'A');
  assert.deepEqual(found?.observations.map(({ item, side, reason }) => [item, side, reason]), [['early', null, ''], ['i', null, '']]);
});

test('a date says where it stands', () => {
  assert.equal(standingOf(null).kind, 'absent');
  assert.equal(standingOf(on('2020-01-01', { value: null, reason: 'cloud' })).kind, 'absent');
  assert.equal(standingOf(on('2020-01-01', { reason: 'too few pixels' })).kind, 'uncounted');
  assert.equal(standingOf(on('2020-01-01')).kind, 'learning');
  assert.equal(standingOf(on('2020-01-01', { high: 0.6 })).kind, 'nominal');
  assert.deepEqual(standingOf(on('2020-01-01', { low: 0.6, side: 'low', score: 4 })), { kind: 'outside', side: 'low', severity: 2 });
});

test('severity follows the server’s scores', () => {
  const text = readFileSync(path.join(process.cwd(), '..', 'tileserver', 'watch', 'alerts', 'baseline.py'), 'utf8');
  const scores = (/SEVERITIES: Final = \((.*)\)/.exec(text)?.[1] ?? '').split(',').map(Number);
  assert.equal(scores.length, 3);
  const [, second = NaN, third = NaN] = scores;
  assert.deepEqual([second - 0.01, second, third - 0.01, third].map(severityOf), [1, 2, 2, 3]);
  assert.equal(severityOf(null), 1);
});

test('each standing has a colour of its own in both themes', () => {
  const sheet = readFileSync(path.join(process.cwd(), 'src', 'geoservices', 'dashboard', 'dashboard.css'), 'utf8');
  const names = (['absent', 'uncounted', 'learning', 'nominal'] as const).map((kind) => nameOf({ kind }));
  for (const side of ['low', 'high'] as const) for (const severity of [1, 2, 3] as const) names.push(nameOf({ kind: 'outside', side, severity }));
  assert.equal(new Set(names).size, 10);
  const themes = sheet.split('@media (prefers-color-scheme: dark)').slice(0, 2);
  for (const theme of themes) {
    const colours = names.map((name) => new RegExp(`${name}: (#\\w+)`).exec(theme)?.[1]);
    assert.equal(new Set(colours).size, 10, colours.join());
    assert.ok(colours.every(Boolean));
  }
});

test('the ramp goes from dark to light', () => {
  const light = (share: number): number => (rampColour(share).match(/\d+/g) ?? []).map(Number).reduce((sum, each) => sum + each, 0);
  const steps = [0, 0.2, 0.4, 0.6, 0.8, 1].map(light);
  assert.deepEqual([...steps].sort((a, b) => a - b), steps);
  assert.equal(rampColour(-1), rampColour(0));
  assert.equal(rampColour(2), rampColour(1));
});

test('nominal values are drawn in pieces, with a gap where none were known', () => {
  const dates = [on('2020-01-01'), on('2020-01-02', { low: 0.1 }), on('2020-01-03', { low: 0.2, reason: 'cloud' }), on('2020-01-04', { low: 0.3, high: 0.9 }), on('2020-01-05'), on('2020-01-06', { high: 1 })];
  const pieces = nominalSpans(dates).map((spans) => spans.map(({ low, high }) => [low, high]));
  assert.deepEqual(pieces, [[[0.1, null], [0.3, 0.9]], [[null, 1]]]);
  const spans = valueSpans([on('2020-01-01'), on('2020-01-02', { uncertainty: null })]);
  assert.deepEqual(spans.map(({ low, high }) => [low, high]), [[0.48, 0.52]]);
});

test('other years are the same season of all years but its own', () => {
  const dates = [on('2018-06-01', { value: 0.2 }), on('2019-05-20', { value: 0.4 }), on('2019-12-01', { value: 0.9 }), on('2020-06-10', { value: 0.6 }), on('2020-06-12', { value: 0.99, reason: 'cloud' })];
  const found = otherYears(dates).map(({ at, low, high }) => [new Date(at * 1000).toISOString().slice(0, 10), low, high]);
  assert.deepEqual(found, [['2018-06-01', 0.4, 0.6], ['2019-05-20', 0.2, 0.6], ['2020-06-10', 0.2, 0.4]]);
});

test('the axis holds values, their margins and limits', () => {
  const [low, high] = rangeOf([on('2020-01-01', { low: 0.1 }), on('2020-01-02', { value: 0.8 })]);
  assert.ok(low < 0.1 && low > 0 && high > 0.82 && high < 0.9);
  assert.deepEqual(rangeOf([]), [0, 1]);
  assert.ok(rangeOf(Array.from({ length: 200_000 }, () => on('2020-01-01')))[1] < 1, 'of more values than a call takes arguments');
  const [bottom, top] = rangeOf([on('2020-01-01', { value: 0, uncertainty: null })]);
  assert.ok(bottom < 0 && top > 0);
});

test('a carpet has a column a day, and of two scenes of a day what says more', () => {
  const series = [site(1, [on('2020-01-02', { value: null, reason: 'cloud', item: 'a' }), on('2020-01-02', { item: 'b' })]), site(2, [on('2020-01-01')])];
  assert.deepEqual(daysOf(series), ['2020-01-01', '2020-01-02']);
  assert.equal(byDay(series[0] ?? site(0, [])).get('2020-01-02')?.item, 'b');
});

test('cells of a carpet stay large enough to hit, and a carpet no higher than its room while that is so', () => {
  assert.deepEqual(cellOf(8, 50, 700), { width: 14, height: 18 });
  assert.deepEqual(cellOf(1000, 2000, 700), { width: 2, height: 2 });
  const { height } = cellOf(100, 50, 700);
  assert.ok(height * 100 <= 640 && height >= 6);
});

test('parts of series that follow one another are one each', () => {
  const all = joined([[site(1, [on('2019-01-01')])], [site(1, [on('2020-01-01')]), site(2, [on('2020-01-01')])]]);
  assert.deepEqual(all.map((each) => [each.site, each.observations.length]), [[1, 2], [2, 1]]);
});

test('pictures are of the newest scene that shows most sites, and of others for the rest', () => {
  const series = [site(1, [on('2020-01-01'), on('2020-02-01')]), site(2, [on('2020-01-01')]), site(3, [on('2019-01-01'), on('2020-03-01', { reason: 'cloud' })])];
  assert.deepEqual(scenesToShow(series, 4).map(({ item }) => item), ['2020-01-01', '2019-01-01']);
  assert.equal(scenesToShow(series, 1).length, 1);
  assert.deepEqual(scenesToShow([site(1, [])], 4), []);
});

test('a period is so many years, two days, or all', () => {
  const newest = new Date('2020-10-03T09:00:00Z');
  assert.deepEqual(parsePeriod('1', newest), { from: '2019-10-03', to: null });
  assert.deepEqual(parsePeriod('all', newest), { from: null, to: null });
  assert.deepEqual(parsePeriod('2020-01-01/', newest), { from: '2020-01-01', to: null });
  for (const wrong of [undefined, '', '3', 'x/y', '2020-02-01/2020-01-01', '2020-13-01/', '2020-01-01']) assert.equal(parsePeriod(wrong, newest), null, wrong);
  assert.ok(within(endingAt(newest, '1'), newest));
  assert.ok(!within({ from: '2020-01-01', to: null }, new Date('2019-12-31T23:59:59Z')));
});

test('halves of a period follow one another down to a day', () => {
  const today = new Date('2026-01-01T00:00:00Z');
  assert.deepEqual(halves({ from: '2020-01-01', to: '2020-01-04' }, today), [{ from: '2020-01-01', to: '2020-01-02' }, { from: '2020-01-03', to: '2020-01-04' }]);
  assert.deepEqual(halves({ from: '2020-01-01', to: '2020-01-02' }, today), [{ from: '2020-01-01', to: '2020-01-01' }, { from: '2020-01-02', to: '2020-01-02' }]);
  assert.equal(halves({ from: '2020-01-01', to: '2020-01-01' }, today), null);
  const [old, recent] = halves({ from: null, to: null }, today) ?? [];
  assert.deepEqual([old?.from, recent?.to], [null, null]);
});

test('the map shows all sites with room around, also one that is a point', () => {
  const square = { geometry: { type: 'Polygon' as const, coordinates: [[[22, 45], [22.1, 45], [22.1, 45.01], [22, 45]]] } };
  const view = viewOfSites([square, { geometry: { type: 'Point' as const, coordinates: [22.05, 45.02] } }]);
  const [west, south, east, north] = boundsOf(view ?? { left: 0, top: 0, width: 0, height: 0 });
  assert.ok(west < 22 && east > 22.1 && south < 45 && north > 45.02);
  assert.ok(Math.abs((view?.width ?? 0) / (view?.height ?? 1) - 4 / 3) < 1e-9);
  const alone = viewOfSites([{ geometry: { type: 'Point' as const, coordinates: [22.05, 45.02] } }]);
  assert.ok((alone?.width ?? 0) > 0);
  assert.equal(viewOfSites([]), null);
  assert.equal(valueRange([{ value: 1 }, { value: null }]), null);
  assert.deepEqual(valueRange([{ value: 1 }, { value: 3 }]), [1, 3]);
});

test('what is unusual comes first', () => {
  const of = (id: number, state: Site['state'], alert = false): Site => ({ id, name: '', geometry: { type: 'Point', coordinates: [0, 0] }, areaM2: 1, state, value: null, uncertainty: null, date: null, alert });
  assert.deepEqual(unusualFirst([of(1, 'unknown'), of(2, 'nominal'), of(3, 'high'), of(4, 'nominal', true)]).map(({ id }) => id), [4, 3, 2, 1]);
});

const bulletin = (state: string, revision = 1, period = '2020-07'): Bulletin => ({ id: revision, number: `a-${period}-r${revision}`, revision, digest: '', period, state, files: [] });

test('a step of a bulletin is offered to whom role and state allow it', () => {
  const offered = (state: string): string[][] => ([null, 'viewer', 'editor', 'moderator', 'owner'] as const).map((role) => stepsOf(bulletin(state), [bulletin(state)], role));
  const writes = (steps: string[]): string[][] => [[], [], steps, steps, steps];
  assert.deepEqual(offered('draft'), writes(['submit', 'recompose']));
  assert.deepEqual(offered('submitted'), [[], [], [], ['approve', 'reject'], ['approve', 'reject']]);
  assert.deepEqual(offered('approved'), writes([]));
  assert.deepEqual(offered('rejected'), writes(['recompose']));
  assert.deepEqual(offered('sent'), writes(['recompose']));
  assert.deepEqual(offered('odd'), writes([]));
  assert.deepEqual([null, 'viewer', 'editor'].map((role) => isAtWork(role as never)), [false, false, true]);
});

test('only the last revision of a period is composed anew', () => {
  const all = [bulletin('sent', 1), bulletin('rejected', 2), bulletin('sent', 1, '2020-06')];
  assert.deepEqual(all.map((each) => stepsOf(each, all, 'owner')), [[], ['recompose'], ['recompose']]);
});

test("files in the reader's language come first, the others as they were", () => {
  const files = ['en', 'ar', 'pt-BR', 'en', 'fr'].map((language) => ({ language }));
  const order = (reader: string): string[] => ownFirst(files, reader).map(({ language }) => language);
  assert.deepEqual(order('ar'), ['ar', 'en', 'pt-BR', 'en', 'fr']);
  assert.deepEqual(order('pt'), ['pt-BR', 'en', 'ar', 'en', 'fr']);
  assert.deepEqual(order('es'), ['en', 'ar', 'pt-BR', 'en', 'fr']);
});

test('one comes back to the last view, once and of late', () => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value), removeItem: (key: string) => kept.delete(key) };
  Object.defineProperty(globalThis, 'localStorage', { value: storage, configurable: true });
  const view = '#geoservice=wood&bulletin=1';
  keepBack(view, 1000);
  assert.equal(takeBack(1000 + 14 * 60_000), view);
  assert.equal(takeBack(1000), null, 'it was taken');
  keepBack(view, 1000);
  assert.equal(takeBack(1000 + 16 * 60_000), null, 'the link is no longer good either');
  keepBack(view, 1000);
  assert.equal(takeBack(0), null, 'the clock was put back');
  for (const each of ['{', '7', '{"fragment":"javascript:x","at":1000}', '{"fragment":7,"at":1000}']) {
    kept.set('comeo-back', each);
    assert.equal(takeBack(1000), null, each);
  }
  Reflect.deleteProperty(globalThis, 'localStorage');
  assert.doesNotThrow(() => keepBack(view, 0));
  assert.equal(takeBack(0), null, 'without storage');
});
