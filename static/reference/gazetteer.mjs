/** The gazetteer: places and countries for the search box, in one small file (read by src/search/gazetteer.ts). */
import { LANGUAGES, folded } from './names.mjs';

/** People from which on a place can be found by its names in all languages that use Latin letters. */
const WELL_KNOWN = 1_000_000;
const LATIN = /^\p{Lu}[\p{Script=Latin} '’-]+$/u;
const ARABIC = /^[\u0600-\u06ff ]+$/;

/** Names that searching the known ones would not find: other beginnings, each once, without accents. */
function further({ name, names, also, people }) {
  const known = [name, ...Object.values(names)].map(folded);
  const wanted = also.filter((each) => ARABIC.test(each) || (people >= WELL_KNOWN && LATIN.test(each) && each.length > 3));
  const found = [];
  for (const each of wanted.map(folded)) {
    if (![...known, ...found].some((other) => other.startsWith(each.slice(0, 5)))) found.push(each);
  }
  return found;
}

const hundredths = (degrees) => Math.round(degrees * 100);

/** Columns rather than rows: like values side by side compress better. Degrees are in hundredths. */
export function gazetteer(countries, places) {
  const codes = [...new Set(places.map((place) => place.country))];
  const translated = LANGUAGES.map((language) => [
    language,
    Object.fromEntries(places.flatMap(({ names }, i) => (names[language] ? [[i, names[language]]] : []))),
  ]);
  return {
    countries: countries.map(({ code, name, box }) => ({ code, ...(code ? {} : { name }), box: box.map(hundredths) })),
    codes,
    names: places.map(({ name }) => name),
    country: places.map(({ country }) => codes.indexOf(country)),
    lon: places.map(({ lon }) => hundredths(lon)),
    lat: places.map(({ lat }) => hundredths(lat)),
    rank: places.map(({ rank }) => rank),
    translated: Object.fromEntries(translated),
    also: Object.fromEntries(places.map((place, i) => [i, further(place)]).filter(([, names]) => names.length > 0)),
  };
}
