/** Names of geoservices and of the parts of their documents. */
import type { Fault } from './faults';

/** A short name of small letters, digits and hyphens; empty of a title that has none of them. */
export const slugOf = (title: string): string =>
  title.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64).replace(/-+$/, '');

/** Names that the server has for parts of a form; kinds of nominal values are none of them. */
export const ownNames = (faults: readonly Fault[]): Fault[] =>
  faults.map(({ field, sentence }) => ({ sentence, field: field.replace(/\.nominal\.(fixed|seasonal|change)(?=\.|$)/, '.nominal') }));
