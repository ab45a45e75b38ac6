/** Names of places and countries in the viewer's languages. */
import { arabicName } from './arabic.mjs';
import { zoneCities } from './sources.mjs';

export const LANGUAGES = ['fr', 'pt', 'es', 'ar'];

export const folded = (name) => name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/** What differs from the main name, by language. */
const others = (name, byLanguage) =>
  Object.fromEntries(Object.entries(byLanguage).filter(([, other]) => other && other !== name));

/** A country's name by language, from the machine's own tables (Unicode CLDR) where it has a code of two letters. */
export function countryNames(code, fallback) {
  if (!code) return { name: fallback, names: {} };
  const of = (language) => new Intl.DisplayNames(language, { type: 'region' }).of(code);
  const name = of('en');
  return { name, names: others(name, Object.fromEntries(LANGUAGES.map((language) => [language, of(language)]))) };
}

/**
 * Time zones by the folded English name of their city. A language's table has only the cities that it doesn't call as
 * the zone's own name does, so the zones are those of all tables together.
 */
function zonesByName(tables) {
  const zones = new Set(Object.values(tables).flatMap(Object.keys));
  const english = (zone) => tables.en[zone] ?? zone.split('/').pop().replaceAll('_', ' ');
  return new Map([...zones].map((zone) => [folded(english(zone)), zone]));
}

/** The Americas' zones are in the west, all others' in the east: tells Córdoba from Córdoba. */
const onItsSide = (zone, lon) => /^(America|Atlantic|Pacific)/.test(zone) ? lon < -20 || zone.startsWith('Pacific') : lon > -26;

/**
 * Adds `names` (by language) and `also` (further names, to be searched) to places: the translations of the largest
 * place that shares its name with the city of a time zone, and Arabic from GeoNames for all others.
 */
export async function translate(places, cities, folder) {
  const languages = ['en', ...LANGUAGES];
  const tables = Object.fromEntries(await Promise.all(languages.map(async (each) => [each, await zoneCities(folder, each)])));
  const zones = zonesByName(tables);
  const taken = new Set();
  for (const place of [...places].sort((a, b) => b.people - a.people)) {
    const { name, alternatenames: alternates = [] } = cities[place.geoname] ?? {};
    if (name && folded(name) === folded(place.name)) place.name = name; // Natural Earth leaves some accents out
    const zone = zones.get(folded(place.name));
    const isZones = zone && !taken.has(zone) && onItsSide(zone, place.lon);
    if (isZones) taken.add(zone);
    const zoned = isZones ? Object.fromEntries(LANGUAGES.map((each) => [each, tables[each][zone]])) : {};
    place.names = others(place.name, { ...zoned, ar: zoned.ar ?? arabicName(place.name, place.country, alternates) });
    place.also = alternates;
  }
}
