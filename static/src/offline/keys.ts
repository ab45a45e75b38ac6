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
  const shown = [...url.searchParams].filter(([name]) => name !== 'rescale');
  // style and date first, as keys of areas that were kept before this have them
  const place = ([name]: [string, string]): number => (['style', 'datetime'] as string[]).indexOf(name) + 1 || 3;
  shown.sort((one, other) => place(one) - place(other) || (one[0] < other[0] ? -1 : 1));
  const query = new URLSearchParams([...shown, ['kept', '1']]);
  return `${url.origin}${url.pathname.replace(/@\dx(?=\.)/, '')}?${query.toString()}`;
}

/** What a part of a file is found by. */
export function rangeKey(address: string, range: string): string {
  const url = new URL(address);
  url.searchParams.set('range', range);
  return url.href;
}
