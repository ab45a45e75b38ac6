/** What the dashboard says. */
import { words } from '../../words/words';

export const t = words<keyof typeof import('../words/dashboard/en.json')>('dashboard');
