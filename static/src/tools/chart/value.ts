/** Values of a curve in words. */
import { locale } from '../../language';
import { margin } from './curve';
import type { Observation } from './series';

/** As many digits as the uncertainty gives a meaning to; three where it is unknown. */
function digitsOf(value: number, uncertainty: number | null): string {
  const digits = uncertainty ? Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(uncertainty)))) : 3;
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A value with its margin and unit: `0.712 ± 0.011`. */
export function formatValue(value: number, margin: number | null, unit: string): string {
  const words = margin === null ? digitsOf(value, null) : `${digitsOf(value, margin)} ± ${digitsOf(margin, margin)}`;
  return unit ? `${words} ${unit}` : words;
}

/** That of an observation; a dash where it has none. */
export const valueWords = ({ value, uncertainty }: Pick<Observation, 'value' | 'uncertainty'>, unit: string): string =>
  value === null ? '–' : formatValue(value, margin({ uncertainty }), unit);
