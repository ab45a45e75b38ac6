/**
 * How bands become a picture: the range that is shown from black to white, and gamma. Kept in the link.
 *
 * By default a scene is stretched to its own percentiles, which its archive tells (`auto` of a style): deserts aren't
 * blown out, nor forests black. What shows an index keeps the range of its style, so that colours mean the same.
 */
import type { Range, Style } from './api';

export type Stretch =
  /** The scene's own percentiles, where its archive tells them. */
  | { kind: 'auto' }
  /** The range that the style has for all scenes. */
  | { kind: 'style' }
  /** Ranges of a style's results, chosen for it alone: each style has other values. */
  | { kind: 'own'; style: string; ranges: Range[]; gamma: number };

/** The link's parameter. */
export const STRETCH = 'stretch';
export const GAMMA: Range = [0.3, 3];
const DIGITS = 4;

/** Numbers as short as four significant digits allow. */
const short = (value: number): string => String(Number(value.toPrecision(DIGITS)));

export function formatStretch(stretch: Stretch): string | null {
  if (stretch.kind === 'auto') return null;
  if (stretch.kind === 'style') return 'style';
  return [stretch.style, stretch.ranges.flat().map(short).join('_'), ...(stretch.gamma === 1 ? [] : [short(stretch.gamma)])].join('*');
}

/** Reads what anybody may have typed: what makes no sense is as if it were not there. */
export function parseStretch(text: string | undefined): Stretch {
  if (text === 'style') return { kind: 'style' };
  const [style = '', numbers = '', power = '1'] = (text ?? '').split('*');
  const values = numbers.split('_').map((value) => (value === '' ? NaN : Number(value)));
  const ranges: Range[] = [];
  for (let index = 0; index + 1 < values.length; index += 2) ranges.push([values[index] ?? NaN, values[index + 1] ?? NaN]);
  const gamma = Number(power);
  const valid = values.length % 2 === 0 && [1, 3].includes(ranges.length) && ranges.every(([low, high]) => high > low && Math.abs(low) < 1e9 && high < 1e9);
  const shown = gamma >= GAMMA[0] && gamma <= GAMMA[1];
  return style && valid && shown ? { kind: 'own', style, ranges, gamma } : { kind: 'auto' };
}

export const stretchOf = (extras: ReadonlyMap<string, string>): Stretch => parseStretch(extras.get(STRETCH));

/** Ranges that a style is shown in; null where the server's own are. */
export function rangesOf(style: Style | null, stretch: Stretch): Range[] | null {
  if (!style || stretch.kind === 'style') return null;
  if (stretch.kind === 'auto') return style.auto;
  return stretch.style === style.id && stretch.ranges.length === style.rescale.length ? stretch.ranges : style.auto;
}

/** Styles of a collection, stretched as its newest scene is: all scenes of a mosaic are shown in one range. */
export const stretchedAs = (styles: readonly Style[], newest: readonly Style[]): Style[] =>
  styles.map((style) => ({ ...style, auto: newest.find(({ id }) => id === style.id)?.auto ?? style.auto }));

const gammaOf = (style: Style, stretch: Stretch): number =>
  stretch.kind === 'own' && stretch.style === style.id && style.rescale.length === 3 ? stretch.gamma : 1;

/** The server's parameters for ranges and gamma. */
export const stretchQuery = (ranges: readonly Range[], gamma: number): Readonly<Record<string, string>> => ({
  rescale: ranges.flat().map(short).join(','),
  ...(gamma !== 1 && { color_formula: `gamma RGB ${short(gamma)}` }),
});

/** Parameters of tiles and previews for a style, its own included: with the same ones two dates are shown in one stretch. */
export function pictureQuery(style: Style | null, stretch: Stretch): Readonly<Record<string, string>> {
  if (!style) return {};
  const ranges = rangesOf(style, stretch);
  if (!ranges) return style.query;
  return { ...style.query, ...stretchQuery(ranges, gammaOf(style, stretch)) };
}

/** Of each result the range, where results that a style shows in one range keep sharing one. */
export function shared(ends: readonly Range[], before: readonly Range[]): Range[] {
  return ends.map((_, place) => {
    const alike = ends.filter((__, other) => String(before[other]) === String(before[place]));
    return [Math.min(...alike.map(([low]) => low)), Math.max(...alike.map(([, high]) => high))];
  });
}
