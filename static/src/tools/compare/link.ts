/** A comparison as the link keeps it: `swipe/0.50/ndvi/collection/item`; the style is empty where it is the map's own. */

export const MODES = ['swipe', 'side', 'blink', 'fade', 'difference'] as const;
export type Mode = (typeof MODES)[number];

export interface Comparison {
  mode: Mode;
  /** Place of the border, or opacity of the other picture: 0 to 1. */
  at: number;
  /** Of the other picture; null is that of the map. */
  style: string | null;
  collection: string;
  item: string;
}

export const formatComparison = ({ mode, at, style, collection, item }: Comparison): string =>
  [mode, at.toFixed(2), style ?? '', collection, item].map(encodeURIComponent).join('/');

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** Null for what anybody may have typed and makes no sense. */
export function parseComparison(value: string): Comparison | null {
  const [mode, at, style, collection, item, ...rest] = value.split('/').map(decoded);
  const known = MODES.find((each) => each === mode);
  const place = Number(at ?? NaN);
  if (!known || !collection || !item || rest.length > 0 || !(place >= 0 && place <= 1)) return null;
  return { mode: known, at: place, style: style || null, collection, item };
}
