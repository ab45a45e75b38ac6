/** The words of the contrast tool. */
import { words } from '../../words/words';

export type Key = keyof typeof import('../../words/stretch/en.json') & string;
export const t = words<Key>('stretch');
