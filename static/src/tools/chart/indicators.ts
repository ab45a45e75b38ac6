/** Which styles a curve can be of. */
import type { Style } from '../../api';

const FAVOURITE = 'ndvi';

/** Styles with one value a pixel: indices where there are any, else single bands, as of radar. */
export function indicatorsOf(styles: readonly Style[]): Style[] {
  const single = styles.filter(({ legend, classes, id }) => legend !== null && classes.length === 0 && id !== 'error');
  const indices = single.filter(({ band }) => band === null);
  return indices.length > 0 ? indices : single;
}

export function firstIndicator(styles: readonly Style[], shown: string | null): string | null {
  const ids = styles.map(({ id }) => id);
  return [shown, FAVOURITE, ids[0]].find((id) => id != null && ids.includes(id)) ?? null;
}
