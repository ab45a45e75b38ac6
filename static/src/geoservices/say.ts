/** What the page of geoservices says: in all of its views, and area by area, in catalogues that the viewer does not list. */
import { language } from '../language';
import { keepWords, words, type Catalogue } from '../words/words';

export const t = words<keyof typeof import('./words/follow/en.json')>('follow');

/** Fetches the words of an area of this page; its messages can be said from then on. */
export function loadOwnWords(area: string): Promise<void> {
  return keepWords(area, () => import(`./words/${area}/${language}.json`) as Promise<{ default: Catalogue }>);
}
