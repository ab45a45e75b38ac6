/** Outlines of histograms, and how their ends are written. */
import type { Range } from '../../api';
import { locale } from '../../language';
import type { Distribution } from './histogram';

export const WIDTH = 300;
export const HEIGHT = 90;

export const formatEnd = (value: number): string => value.toLocaleString(locale, { maximumSignificantDigits: 4 });

/** Where bins, ranges and handles lie: as wide as all of them need, with some room. */
export function extentOf(found: readonly Distribution[], ranges: readonly Range[]): Range {
  const ends = [...found.flatMap(({ percentiles }) => [percentiles.get(1), percentiles.get(99)]), ...ranges.flat()].filter((end) => end !== undefined);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || 1) * 0.15;
  return [low - room, high + room];
}

/** Outline of a histogram over an extent, as the points of an SVG polygon. */
export function outline({ counts, edges }: Distribution, [low, high]: Range): string {
  const top = Math.max(1, ...counts);
  const x = (value: number): string => (Math.min(1, Math.max(0, (value - low) / (high - low))) * WIDTH).toFixed(1);
  const y = (count: number): string => (HEIGHT * (1 - Math.sqrt(count / top))).toFixed(1);
  const bars = counts.flatMap((count, bin) => [`${x(edges[bin] ?? low)},${y(count)}`, `${x(edges[bin + 1] ?? high)},${y(count)}`]);
  return [`${x(edges[0] ?? low)},${HEIGHT}`, ...bars, `${x(edges[edges.length - 1] ?? high)},${HEIGHT}`].join(' ');
}
