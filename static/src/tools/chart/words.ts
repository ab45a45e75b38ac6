/** The words of the chart. */
import { words } from '../../words/words';

export type Key = keyof typeof import('../../words/chart/en.json');
export const t = words<Key>('chart');
