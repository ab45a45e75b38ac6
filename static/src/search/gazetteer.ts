/** Places and countries of the world by name, without asking anybody: a file that comes when the search is opened. */
import type { BBox } from '../geo';

declare const GAZETTEER: string;

/** Columns of the same length, as reference/gazetteer.mjs writes them; degrees in hundredths. */
export interface Columns {
  countries: readonly { code: string | null; name?: string; box: readonly number[] }[];
  codes: readonly string[];
  names: readonly string[];
  country: readonly number[];
  lon: readonly number[];
  lat: readonly number[];
  rank: readonly number[];
  translated: Readonly<Record<string, Readonly<Record<string, string>>>>;
  also: Readonly<Record<string, readonly string[]>>;
}

export interface Place {
  /** In the language asked for, where it is known. */
  name: string;
  /** The country's name in that language; null for a country itself. */
  country: string | null;
  kind: 'place' | 'country';
  lon: number;
  lat: number;
  /** From which a place fills the map; a country's `bbox` says it better. */
  zoom: number;
  bbox?: BBox;
}

/** An entry as it is searched: its names, folded, the main ones first; entries come the largest first. */
interface Entry {
  keys: readonly string[];
  place: (language: string) => Place;
}

/** Zoom for a place of Natural Earth's scale rank 0 (a metropolis) and of 10 (a village). */
const METROPOLIS_ZOOM = 10;
const VILLAGE_ZOOM = 12.5;
const RANKS = 10;

/**
 * A name as it is searched: small letters without accents; of Arabic, without vowel signs and stretching, and with one
 * form of each letter that is written in several (alef, yeh, teh marbuta, kaf).
 */
export function fold(name: string): string {
  return name
    .normalize('NFD')
    .replace(/[\p{M}\u0640]/gu, '')
    .toLowerCase()
    .replace(/[ٱ]/g, 'ا')
    .replace(/[ىی]/g, 'ي')
    .replace(/ة/g, 'ه')
    .replace(/ک/g, 'ك')
    .replace(/ß/g, 'ss')
    .replace(/[øœæłđıð]/g, (letter) => ({ ø: 'o', œ: 'oe', æ: 'ae', ł: 'l', đ: 'd', ı: 'i', ð: 'd' })[letter] ?? letter)
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/** 4 for a whole name, 3 for its beginning, 2 for the beginning of a later word, less for a further name; 0 for none. */
function quality(keys: readonly string[], wanted: string): number {
  let best = 0;
  for (const [i, key] of keys.entries()) {
    const at = key === wanted ? 4 : key.startsWith(wanted) ? 3 : key.includes(` ${wanted}`) ? 2 : 0;
    best = Math.max(best, at === 0 ? 0 : at - (i > 0 && at < 4 ? 0.5 : 0));
  }
  return best;
}

function countryNamer(): (code: string, language: string) => string {
  const tables = new Map<string, Intl.DisplayNames>();
  return (code, language) => {
    let table = tables.get(language);
    if (!table) tables.set(language, (table = new Intl.DisplayNames(language, { type: 'region', fallback: 'none' })));
    try {
      return table.of(code) ?? '';
    } catch {
      return ''; // no code of two letters: a place whose country nobody agrees on
    }
  };
}

export class Gazetteer {
  readonly #entries: readonly Entry[];

  constructor(columns: Columns, languages: readonly string[] = ['en', 'fr', 'pt', 'es', 'ar']) {
    const named = countryNamer();
    this.#entries = [...countryEntries(columns, languages, named), ...placeEntries(columns, named)];
  }

  /** At most `limit` places whose name, or a later word of it, begins with the text; better matches and larger places first. */
  find(text: string, language: string, limit = 8): Place[] {
    const wanted = fold(text);
    if (wanted === '') return [];
    return this.#entries
      .map((entry) => ({ entry, quality: quality(entry.keys, wanted) }))
      .filter((each) => each.quality > 0)
      .sort((a, b) => b.quality - a.quality) // stable: among equals the largest stays first
      .slice(0, limit)
      .map(({ entry }) => entry.place(language));
  }
}

type Namer = (code: string, language: string) => string;

function countryEntries({ countries }: Columns, languages: readonly string[], named: Namer): Entry[] {
  return countries.map(({ code, name, box }) => {
    const [west = 0, south = 0, east = 0, north = 0] = box.map((value) => value / 100);
    const names = code ? languages.map((language) => named(code, language)) : [name ?? ''];
    return {
      keys: [...new Set(names.map(fold))],
      place: (language) => ({
        name: code ? named(code, language) : (name ?? ''),
        country: null,
        kind: 'country',
        lon: (west + east) / 2,
        lat: (south + north) / 2,
        zoom: Math.max(2, Math.min(10, Math.log2(360 / Math.max(east - west, north - south, 0.2)) + 0.5)),
        bbox: [west, south, east, north],
      }),
    };
  });
}

function placeEntries(columns: Columns, named: Namer): Entry[] {
  const { names, translated, also } = columns;
  return names.map((main, i) => {
    const others = Object.values(translated).flatMap((table) => table[i] ?? []);
    const code = columns.codes[columns.country[i] ?? -1] ?? '';
    return {
      keys: [...new Set([main, ...others, ...(also[i] ?? [])].map(fold))],
      place: (language) => ({
        name: translated[language]?.[i] ?? main,
        country: named(code, language) || null,
        kind: 'place',
        lon: (columns.lon[i] ?? 0) / 100,
        lat: (columns.lat[i] ?? 0) / 100,
        zoom: METROPOLIS_ZOOM + ((VILLAGE_ZOOM - METROPOLIS_ZOOM) * (columns.rank[i] ?? 0)) / RANKS,
      }),
    };
  });
}

let loading: Promise<Gazetteer> | null = null;

/** The gazetteer, fetched once; a failure is told and the next call tries again. */
export function loadGazetteer(): Promise<Gazetteer> {
  loading ??= fetch(new URL(GAZETTEER, document.baseURI))
    .then(async (response) => {
      if (!response.ok) throw new Error(`The list of place names cannot be read: the server answers ${response.status}.`);
      return new Gazetteer((await response.json()) as Columns);
    })
    .catch((error: unknown) => {
      loading = null;
      throw error;
    });
  return loading;
}
