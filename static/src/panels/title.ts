/** What a scene or a mosaic is called. */
import type { Item, Layer } from '../api';
import { formatDay } from '../format';
import { t } from '../words/shell';

/** The day of a scene; of one whose day is not known its name, which tells it from the others. */
export const sceneTitle = (item: Item): string => (item.dated ? formatDay(item.datetime) : item.id);

export function titleOf(layer: Layer, item: Item): string {
  if ('item' in layer) return sceneTitle(item);
  return layer.until ? t('mosaic-until', { day: formatDay(new Date(`${layer.until}T00:00:00Z`)) }) : t('mosaic-all');
}
