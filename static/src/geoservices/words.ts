/** What the page of geoservices says in all of its views. */
import { words } from '../words/words';

export const t = words<keyof typeof import('../words/follow/en.json')>('follow');
