/** An indicator of the user's own: a formula over bands with a range and colours. The link carries all of it. */
import { isObject, number, text, type Range, type Style } from './api';
import { t } from './words/shell';

export interface Indicator {
  title: string;
  /** Over physical values of bands, as the server's `expression`. */
  formula: string;
  range: Range;
  colormap: Colormap;
  /** Classes whose pixels count, as the server's `mask`; empty for all. */
  mask: string;
}

/** The link's parameter, and the style's id. */
export const INDICATOR = 'indicator';
export const OWN = 'own';
const LONGEST = 1000;
const MASKS = ['', 'clear', 'land', 'water'] as const;

/** Colours at equal distances of the server's maps that the colour-blind can read, and of a diverging pair. */
export const COLORMAPS = {
  viridis: ['#440154', '#472c7b', '#3a528b', '#2c728e', '#20908c', '#27ad80', '#5bc862', '#aadb32', '#fde724'],
  ylgn: ['#ffffe5', '#f6fbb8', '#d8efa2', '#acdc8d', '#77c578', '#41ab5d', '#238443', '#006837', '#004529'],
  ylgnbu: ['#ffffd9', '#ecf7b1', '#c6e8b4', '#7eccbb', '#40b5c3', '#1d91c0', '#215ea8', '#243494', '#081d58'],
  ylorrd: ['#ffffcc', '#feec9f', '#fed875', '#fdb14b', '#fc8c3b', '#fc4e2a', '#e31a1c', '#bd0025', '#800026'],
  brbg: ['#543005', '#995d12', '#cfa255', '#f0dfb2', '#f4f4f4', '#b6e3dc', '#5bb2a8', '#0e726a', '#003c30'],
  rdbu: ['#67001f', '#bb2a33', '#e58368', '#faceb6', '#f6f6f6', '#c2ddeb', '#6bacd0', '#2971b1', '#053061'],
  gray: ['#000000', '#202020', '#404040', '#606060', '#808080', '#9f9f9f', '#bfbfbf', '#dfdfdf', '#ffffff'],
} as const;
export type Colormap = keyof typeof COLORMAPS;

export const formatIndicator = ({ title, formula, range, colormap, mask }: Indicator): string =>
  JSON.stringify({ title, formula, range, colormap, ...(mask && { mask }) });

/** Reads what anybody may have written; null if it makes no sense. */
export function readIndicator(value: unknown): Indicator | null {
  if (!isObject(value)) return null;
  const [formula, name, mask] = [text(value['formula']), text(value['colormap']) ?? 'viridis', text(value['mask']) ?? ''];
  const [low, high] = Array.isArray(value['range']) ? value['range'].map(number) : [];
  const valid = formula !== null && formula.length <= LONGEST && !formula.includes(';') && low != null && high != null && low < high;
  if (!valid || !Object.hasOwn(COLORMAPS, name) || !(MASKS as readonly string[]).includes(mask)) return null;
  return { title: (text(value['title']) ?? '').slice(0, 80), formula, range: [low, high], colormap: name as Colormap, mask };
}

export function parseIndicator(words: string | undefined): Indicator | null {
  try {
    return readIndicator(JSON.parse(words ?? ''));
  } catch {
    return null;
  }
}

/** The indicator as a style among the others. */
export function styleOf({ title, formula, range, colormap, mask }: Indicator): Style {
  return {
    id: OWN,
    title: title || t('tool-indicator'),
    description: formula,
    band: null,
    expression: formula,
    query: { expression: formula, colormap_name: colormap, rescale: range.join(','), ...(mask && { mask }) },
    legend: { minimum: range[0], maximum: range[1], unit: '', colors: [...COLORMAPS[colormap]] },
    rescale: [range],
    auto: null,
    classes: [],
  };
}

/** Styles with the link's own one before them. */
export function withOwn(styles: readonly Style[], extras: ReadonlyMap<string, string>): Style[] {
  const own = parseIndicator(extras.get(INDICATOR));
  return own ? [styleOf(own), ...styles] : [...styles];
}
