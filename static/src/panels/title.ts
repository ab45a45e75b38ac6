/** What a scene or a mosaic is called. */
import type { Item, Layer } from '../api';
import { formatDay } from '../format';
import { t } from '../words/shell';

/** The day of a scene; of one whose day is not known its name, which tells it from the others. */
export const sceneTitle = (item: Item): string => (item.dated ? formatDay(item.datetime) : item.id);

export function titleOf(layer: Layer, item: Item): string {
  if ('item' in layer) return sceneTitle(item);
  const day = (text: string): string => formatDay(new Date(`${text}T00:00:00Z`));
  const { from, until, pixels } = layer;
  const what = t(pixels ? `pixels-${pixels}` : 'mosaic');
  if (from) return t(until ? 'mosaic-period' : 'mosaic-since', { what, from: day(from), ...(until && { until: day(until) }) });
  if (pixels) return until ? t('mosaic-to', { what, until: day(until) }) : t('mosaic-any', { what });
  return until ? t('mosaic-until', { day: day(until) }) : t('mosaic-all');
}
