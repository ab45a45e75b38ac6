/** Names of the caches, and of what is in them: shared by the page and its service worker. */

export const SHELL = 'comeo-shell-1';
/** Tiles and parts of files that were looked at. */
export const SEEN = 'comeo-seen-1';
/** Answers about scenes. */
export const DATA = 'comeo-data-1';
/** Of areas that are kept: each has a cache of its own, so that it can be deleted. */
export const KEPT = 'comeo-kept-';

/** What a kept tile is found by: its place and style, whatever its density and stretch. */
export function keptKey(address: string): string {
  const url = new URL(address);
  const style = url.searchParams.get('style');
  const datetime = url.searchParams.get('datetime');
  const query = new URLSearchParams({ ...(style ? { style } : {}), ...(datetime ? { datetime } : {}), kept: '1' });
  return `${url.origin}${url.pathname.replace(/@\dx(?=\.)/, '')}?${query.toString()}`;
}

/** What a part of a file is found by. */
export function rangeKey(address: string, range: string): string {
  const url = new URL(address);
  url.searchParams.set('range', range);
  return url.href;
}
