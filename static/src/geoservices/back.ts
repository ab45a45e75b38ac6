/** Where one was before signing in: the link in the mail opens a tab of its own. */
import { isObject, number, text } from '../api';

const KEPT = 'comeo-back';
const GOOD_FOR = 15 * 60_000; // as long as the link

export function keepBack(fragment: string, now: number): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ fragment, at: now }));
  } catch {
    // storage may be full or forbidden: one then begins at the list
  }
}

/** The fragment of the last view, once; null where there is none of late. */
export function takeBack(now: number): string | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT) ?? 'null');
    localStorage.removeItem(KEPT);
    if (!isObject(found)) return null;
    const age = now - (number(found['at']) ?? 0);
    const fragment = text(found['fragment']) ?? '';
    return age >= 0 && age <= GOOD_FOR && fragment.startsWith('#') ? fragment : null;
  } catch {
    return null;
  }
}
