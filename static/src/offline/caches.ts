/** Which cache an answer is kept in. */
import { DATA, SEEN, SHELL } from './keys';

const isData = (path: string): boolean => /^(stac|collections|viewer-config\.json)/.test(path) && !/\/tiles\//.test(path);

/** Which cache something that the page has fetched belongs into; null where none. */
export function cacheOf(address: string, base: string): string | null {
  if (!address.startsWith(base)) return null;
  const path = address.slice(base.length);
  if (/^assets\/.*\.(js|css|svg)$/.test(path)) return SHELL;
  if (/\/tiles\//.test(path)) return SEEN;
  return isData(path) ? DATA : null;
}
