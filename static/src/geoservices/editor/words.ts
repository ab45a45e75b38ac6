import { words } from '../../words/words';

export type Key = keyof typeof import('../words/editor/en.json');
export const t = words<Key>('editor');
