/** Indicators that this browser keeps, by title. */
import { isObject } from '../../api';
import { formatIndicator, readIndicator, type Indicator } from '../../indicator';

const PLACE = 'comeo-indicators';
const MOST = 50;

export function keptIndicators(): Indicator[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PLACE) ?? '[]');
    return (Array.isArray(found) ? found : []).filter(isObject).map(readIndicator).filter((each) => each !== null);
  } catch {
    return []; // storage is forbidden, or holds something else
  }
}

/** Whether it could be kept: one of the same title is replaced. */
export function keep(indicator: Indicator): boolean {
  const others = keptIndicators().filter(({ title }) => title !== indicator.title);
  return store([indicator, ...others].slice(0, MOST));
}

export const forget = (title: string): boolean => store(keptIndicators().filter((each) => each.title !== title));

function store(indicators: readonly Indicator[]): boolean {
  try {
    localStorage.setItem(PLACE, `[${indicators.map(formatIndicator).join(',')}]`);
    return true;
  } catch {
    return false;
  }
}
