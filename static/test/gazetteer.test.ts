import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';

import { fold, Gazetteer, type Columns } from '../src/search/gazetteer';

const whole = JSON.parse(await readFile('.cache/reference/gazetteer.json', 'utf8')) as Columns;
const world = new Gazetteer(whole);
const first = (text: string, language = 'en'): string | undefined => world.find(text, language)[0]?.name;

test('a beginning is enough, whatever the accents, and large places come first', () => {
  assert.equal(first('nairo'), 'Nairobi');
  assert.equal(first('yaounde'), 'Yaoundé');
  assert.equal(first('São Pau'), 'São Paulo');
  assert.equal(first('sao pau'), 'São Paulo');
  assert.equal(first('paris'), 'Paris');
  assert.equal(world.find('paris', 'en')[0]?.country, 'France');
});

test('names of the five languages are found, and answered in the one asked for', () => {
  assert.equal(first('Londres', 'fr'), 'Londres');
  assert.equal(first('London', 'pt'), 'Londres');
  assert.equal(first('Le Caire', 'fr'), 'Le Caire');
  assert.equal(first('القاهرة', 'ar'), 'القاهرة');
  assert.equal(first('القاهره', 'en'), 'Cairo', 'teh marbuta or heh');
  assert.equal(first('Munique', 'pt'), 'Munich');
  assert.equal(first('Côte d’Ivoire', 'fr'), 'Côte d’Ivoire');
  assert.equal(first('costa do marf', 'pt'), 'Costa do Marfim');
});

test('a country comes with its box, a place with a zoom', () => {
  const [kenya] = world.find('Quênia', 'pt');
  assert.equal(kenya?.kind, 'country');
  const [west = 0, south = 0, east = 0, north = 0] = kenya?.bbox ?? [];
  assert.ok(west > 33 && west < 35 && east > 41 && east < 43 && south < -4 && north > 4);
  const [kisumu] = world.find('kisumu', 'fr');
  assert.ok(Math.abs((kisumu?.lon ?? 0) - 34.75) < 0.05 && Math.abs((kisumu?.lat ?? 0) + 0.1) < 0.05);
  assert.equal(kisumu?.country, 'Kenya');
  assert.ok((kisumu?.zoom ?? 0) >= 10);
});

test('a later word is found after beginnings, nothing is found for nothing, and there is a limit', () => {
  const names = world.find('york', 'en').map(({ name }) => name);
  assert.ok(names.includes('New York'), names.join());
  assert.deepEqual(world.find('', 'en'), []);
  assert.deepEqual(world.find(' .-! ', 'en'), []);
  assert.deepEqual(world.find('qqqqqqqqq', 'en'), []);
  assert.equal(world.find('a', 'en', 5).length, 5);
});

test('odd text is searched as text', () => {
  for (const odd of ['.*', '[', '\\', '\u202eabc', '💧', 'a'.repeat(10_000), '\ud800']) assert.ok(Array.isArray(world.find(odd, 'ar')));
});

test('folding twice changes nothing', () => {
  for (const name of whole.names) assert.equal(fold(fold(name)), fold(name));
  assert.equal(fold('Łódź'), 'lodz');
  assert.equal(fold('Aïn Témouchent'), 'ain temouchent');
});
