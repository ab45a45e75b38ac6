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
  /** A condition; where it is false there is no value. Empty for none. */
  valid: string;
  /** Values that are called by a name, in rising order; empty where the range of colours shows them. */
  classes: readonly ValueClass[];
}

/** From one number to below another. */
export interface ValueClass {
  from: number;
  to: number;
  color: string;
  title: string;
}

/** The link's parameter, and the style's id. */
export const INDICATOR = 'indicator';
export const OWN = 'own';
const LONGEST = 1000;
/** As many classes as a legend can show. */
export const MOST_CLASSES = 12;
export const MASKS = ['', 'clear', 'land', 'water'] as const;

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

export const formatIndicator = ({ title, formula, range, colormap, mask, valid, classes }: Indicator): string =>
  JSON.stringify({ title, formula, range, colormap, ...(mask && { mask }), ...(valid && { valid }), ...(classes.length > 0 && { classes }) });

/** Whether only a document can say it to the server, which a formula in an address can't. */
export const needsDocument = ({ valid, classes }: Indicator): boolean => valid !== '' || classes.length > 0;

/** Classes in rising order that don't overlap; null for what makes no sense. */
export function readClasses(value: unknown): ValueClass[] | null {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MOST_CLASSES) return null;
  const found = value.map((each): ValueClass | null => {
    const [from, to, color] = isObject(each) ? [number(each['from']), number(each['to']), text(each['color']) ?? ''] : [null, null, ''];
    if (from === null || to === null || from >= to || !/^#[0-9a-f]{6}$/i.test(color)) return null;
    return { from, to, color, title: (text((each as { title?: unknown }).title) ?? '').slice(0, 80) };
  });
  const classes = found.filter((each) => each !== null);
  const rising = classes.every(({ from }, place) => place === 0 || from >= (classes[place - 1]?.to ?? -Infinity));
  return classes.length === value.length && rising ? classes : null;
}

/** Reads what anybody may have written; null if it makes no sense. */
export function readIndicator(value: unknown): Indicator | null {
  if (!isObject(value)) return null;
  const [formula, name, mask] = [text(value['formula']), text(value['colormap']) ?? 'viridis', text(value['mask']) ?? ''];
  const [low, high] = Array.isArray(value['range']) ? value['range'].map(number) : [];
  const valid = formula !== null && formula.length <= LONGEST && !formula.includes(';') && low != null && high != null && low < high;
  const [condition, classes] = [text(value['valid']) ?? '', readClasses(value['classes'])];
  if (!valid || !classes || condition.length > LONGEST || !Object.hasOwn(COLORMAPS, name) || !(MASKS as readonly string[]).includes(mask)) return null;
  return { title: (text(value['title']) ?? '').slice(0, 80), formula, range: [low, high], colormap: name as Colormap, mask, valid: condition, classes };
}

export function parseIndicator(words: string | undefined): Indicator | null {
  try {
    return readIndicator(JSON.parse(words ?? ''));
  } catch {
    return null;
  }
}

/** The indicator as a style among the others; `draft` is the name that the server has given to its document, if it needs one. */
export function styleOf(indicator: Indicator, draft: string | null = null): Style {
  const { title, formula, range, colormap, mask, classes } = indicator;
  const query: Record<string, string> = draft === null
    ? { expression: formula, colormap_name: colormap, rescale: range.join(','), ...(mask && { mask }) }
    : { style: draft };
  return {
    id: OWN,
    title: title || t('tool-indicator'),
    description: formula,
    band: null,
    expression: formula,
    query,
    legend: classes.length > 0 ? null : { minimum: range[0], maximum: range[1], unit: '', colors: [...COLORMAPS[colormap]] },
    rescale: classes.length > 0 ? [] : [range],
    auto: null,
    classes: classes.map((each, place) => ({ name: String(place), title: each.title || `${each.from} – ${each.to}`, color: each.color })),
  };
}

/** The link's own indicator. */
export const ownOf = (extras: ReadonlyMap<string, string>): Indicator | null => parseIndicator(extras.get(INDICATOR));
