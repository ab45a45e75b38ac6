/** Names of the caches, and of what is in them: shared by the page and its service worker. */

export const SHELL = 'comeo-shell-1';
/** Tiles and parts of files that were looked at. */
export const SEEN = 'comeo-seen-1';
/** Answers about scenes. */
export const DATA = 'comeo-data-1';
/** Of areas that are kept: each has a cache of its own, so that it can be deleted. */
export const KEPT = 'comeo-kept-';

/** What a kept tile is found by: its place and all that it shows, whatever its density and stretch. */
export function keptKey(address: string): string {
  const url = new URL(address);
  url.pathname = url.pathname.replace(/@\dx(?=\.)/, '');
  url.searchParams.delete('rescale');
  url.searchParams.set('kept', '1');
  url.searchParams.sort();
  return url.href;
}

/** What a part of a file is found by. */
export function rangeKey(address: string, range: string): string {
  const url = new URL(address);
  url.searchParams.set('range', range);
  return url.href;
}
