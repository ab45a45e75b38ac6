/** The words of the indicator editor. */
import { words } from '../../words/words';

export type Key = keyof typeof import('../../words/indicator/en.json') & string;
export const t = words<Key>('indicator');
