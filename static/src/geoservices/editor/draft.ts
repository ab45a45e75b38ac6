/** What is being typed, kept for as long as the tab is open: nothing is lost by a mistake, or by signing in again. */
import { isObject, objects, type Json } from '../../api';
import type { Field } from '../../tools/chart/fields';

const KEPT = 'comeo-geoservice-draft';
const MOST = 2_000_000; // characters

export interface Draft {
  body: Json;
  sites: Field[];
}

export function keepDraft(draft: Draft): void {
  try {
    const written = JSON.stringify(draft);
    if (written.length <= MOST) sessionStorage.setItem(KEPT, written);
  } catch {
    // storage may be full or forbidden: what is typed is then on the page alone
  }
}

export function keptDraft(): Draft | null {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null');
    if (!isObject(found) || !isObject(found['body'])) return null;
    return { body: found['body'], sites: objects(found['sites']) as unknown as Field[] };
  } catch {
    return null;
  }
}

export function dropDraft(): void {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // there is none, then
  }
}
