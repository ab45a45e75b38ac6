/** The fragment of the page's address: which view, of what, and how it is set. */
import { languageOfLink } from '../language';

export type Name = 'list' | 'geoservice' | 'queue' | 'edit' | 'new' | 'sign-in' | 'relayed' | 'compressions';

export interface Route {
  name: Name;
  /** Of the geoservice; empty where the view is of none. */
  slug: string;
  /** What the view keeps in the link, under names of its own. */
  settings: ReadonlyMap<string, string>;
}

/** Views of a geoservice. */
const OF_ONE = ['geoservice', 'queue', 'edit', 'relayed'] as const;
const ALONE = ['queue', 'new', 'sign-in', 'compressions'] as const;
const OWN = new Set<string>([...OF_ONE, ...ALONE, 'lang']);
const SLUG = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const LONGEST = 200;

/** Reads a fragment that anybody may have typed: what makes no sense is the list. */
export function parseRoute(fragment: string): Route {
  const parts = new URLSearchParams(fragment.replace(/^#/, ''));
  const settings = new Map([...parts].filter(([name, value]) => !OWN.has(name) && value.length <= LONGEST));
  for (const name of OF_ONE) {
    const slug = parts.get(name) ?? '';
    if (SLUG.test(slug)) return { name, slug, settings };
  }
  return { name: ALONE.find((name) => parts.has(name)) ?? 'list', slug: '', settings };
}

export function formatRoute({ name, slug, settings }: Route): string {
  const parts: string[] = name === 'list' ? [] : [slug ? `${name}=${slug}` : name];
  for (const [key, value] of settings) parts.push(`${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  if (languageOfLink) parts.push(`lang=${languageOfLink}`);
  return `#${parts.join('&')}`;
}

/** Address of a view. */
export const linkTo = (name: Name, slug = '', settings: Readonly<Record<string, string>> = {}): string =>
  formatRoute({ name, slug, settings: new Map(Object.entries(settings)) });
