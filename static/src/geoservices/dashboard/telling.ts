/** What a date says, in words; where its scene is seen. */
import { locale } from '../../language';
import { formatLink } from '../../link';
import { standingOf, type Observation } from './observation';
import { t } from './words';

/** A share as a whole percentage; empty where it is unknown. */
export const percentWords = (share: number | null): string => (share === null ? '' : share.toLocaleString(locale, { style: 'percent' }));

export function standingWords(one: Observation): string {
  const standing = standingOf(one);
  if (standing.kind === 'outside') return t(`outside-${standing.side}`, { severity: standing.severity });
  if (standing.kind === 'nominal' || standing.kind === 'learning') return t(`is-${standing.kind}`);
  if (one.value === null) return one.clear !== null && one.clear < 0.5 ? t('is-cloudy') : t('is-absent');
  return one.clear !== null && one.clear < 1 ? t('is-uncounted-clear', { clear: percentWords(one.clear) }) : t('is-uncounted');
}

/** Address of the viewer, below the server's root, that shows the scene. */
export const sceneLink = ({ collection, item }: Pick<Observation, 'collection' | 'item'>): string =>
  `./${formatLink({ camera: null, layer: { collection, item }, style: null, opacity: 1, projection: 'mercator', extras: new Map() })}`;
