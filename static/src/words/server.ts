/**
 * What the server says in English alone, in the page's language: bands, the maps of errors and of clear pixels, and what
 * a copy is good for. Titles and descriptions of indicators it says itself (`lang=`).
 */
import type { Fidelity, Style } from '../api';
import { language } from '../language';
import { loadWords, words } from './words';

type Key = keyof typeof import('./server/en.json');
const t = words<Key>('server');

const BANDS = ['B01', 'B02', 'B03', 'B04', 'B05', 'B06', 'B07', 'B08', 'B8A', 'B09', 'B10', 'B11', 'B12'] as const;
const CLASSES = ['land', 'water', 'snow', 'shadow', 'thin', 'cloud'] as const;
const GRADES: Readonly<Record<string, string>> = { 'Very close': 'very-close', Close: 'close', Approximate: 'approximate', Coarse: 'coarse' };

/** English needs no other words than the server's. */
export const loadServerWords = async (): Promise<void> => (language === 'en' ? undefined : loadWords('server'));

function bandWords(name: string): string | null {
  const known = BANDS.find((each) => each === name);
  return known ? t(known) : null;
}

function bandStyle(style: Style, band: string): Style {
  const [range] = style.rescale;
  const title = bandWords(band);
  return {
    ...style,
    title: t('band', { name: title ? `${band} (${title})` : band }),
    description: range ? t('band-range', { low: range[0], high: range[1] }) : style.description,
  };
}

export function styleInOurWords(style: Style): Style {
  if (language === 'en') return style;
  if (style.band !== null) return bandStyle(style, style.band);
  if (style.id === 'error') return { ...style, title: t('error'), description: t('error-description', { unit: style.legend?.unit ?? '' }) };
  if (style.id !== 'clear') return style;
  const classes = style.classes.map((each) => {
    const known = CLASSES.find((name) => name === each.name);
    return known ? { ...each, title: t(known) } : each;
  });
  return { ...style, title: t('clear'), description: t('clear-description'), classes };
}

export function fidelityInOurWords(fidelity: Fidelity | null): Fidelity | null {
  const grade = GRADES[fidelity?.grade ?? ''];
  if (language === 'en' || !fidelity || !grade) return fidelity;
  return { ...fidelity, meaning: t(`${fidelity.unit === 'dB' ? 'radar' : 'optical'}-${grade}` as Key) };
}

export const bandInOurWords = <Band extends { name: string; title: string }>(band: Band): Band => (language === 'en' ? band : { ...band, title: bandWords(band.name) ?? band.title });
