/** What the page itself says, besides its tools. */
import { words } from './words';

export const t = words<keyof typeof import('./shell/en.json')>('shell');
