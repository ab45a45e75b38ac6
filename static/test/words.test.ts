import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { chooseLanguage, LANGUAGES, localeOf } from '../src/language';
import { fill, loadWords, words, type Catalogue, type Message } from '../src/words/words';

const source = path.join(process.cwd(), 'src');
const areas = ['words', 'geoservices/words'].flatMap((folder) =>
  readdirSync(path.join(source, folder), { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map(({ name }) => `${folder}/${name}`),
);
const read = (area: string, language: string): Catalogue =>
  JSON.parse(readFileSync(path.join(source, area, `${language}.json`), 'utf8')) as Catalogue;
const texts = (message: Message): string[] => (typeof message === 'string' ? [message] : Object.values(message));
const placeholders = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''))].sort();
/** The plural forms that whole numbers take in a language. */
const forms = (language: string): Set<string> => {
  const rules = new Intl.PluralRules(language);
  return new Set(Array.from({ length: 200 }, (_, count) => rules.select(count)));
};

test('every area speaks every language, with the same messages and the same placeholders', () => {
  assert.ok(areas.includes('words/shell') && areas.includes('geoservices/words/visa'));
  for (const area of areas) {
    const english = read(area, 'en');
    for (const language of Object.keys(LANGUAGES)) {
      const catalogue = read(area, language);
      assert.deepEqual(Object.keys(catalogue).sort(), Object.keys(english).sort(), `${area}/${language}`);
      for (const [key, message] of Object.entries(catalogue)) {
        const wanted = placeholders(texts(english[key] ?? '').join(' '));
        assert.deepEqual(placeholders(texts(message).join(' ')), wanted, `${area}/${language}: ${key}`);
        assert.ok(texts(message).every((text) => text.trim() !== ''), `${area}/${language}: ${key} is empty`);
        if (typeof message === 'string') continue;
        const missing = [...forms(language)].filter((form) => !(form in message));
        assert.deepEqual(missing, [], `${area}/${language}: ${key} lacks plural forms`);
      }
    }
  }
});

test('a message that counts takes the form of its number, written as the country does', () => {
  const dates = { one: '{count} date', other: '{count} dates' };
  assert.equal(fill(dates, { count: 1 }, 'en'), '1 date');
  assert.equal(fill(dates, { count: 1234 }, 'en'), '1,234 dates');
  assert.equal(fill('{a} and {b}', { a: 'x', b: 1.5 }, 'fr'), 'x and 1,5');
  assert.throws(() => fill('{a}', {}, 'en'), /no value for a/);
});

test('words are there once they are loaded', async () => {
  const t = words('layers');
  assert.throws(() => t('opacity'), /not loaded/);
  await loadWords('layers');
  assert.match(t('opacity'), /\w/);
  assert.throws(() => t('nothing'), /no nothing/);
});

test('the first wish that the page speaks is its language, with the country of the browser', () => {
  assert.equal(chooseLanguage([null, 'de-CH', 'pt-BR', 'fr']), 'pt');
  assert.equal(chooseLanguage(['constructor', '', undefined]), 'en');
  assert.equal(localeOf('pt', ['de', 'pt-MZ']), 'pt-MZ');
  assert.equal(localeOf('ar', ['en-GB']), 'ar');
});
