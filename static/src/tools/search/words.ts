/** The words of the search. */
import { words } from '../../words/words';

export type Key = keyof typeof import('../../words/search/en.json') & string;
export const t = words<Key>('search');
