/** What the server tells of geoservices, checked as it arrives. */
import { isObject, number, objects, text, type Json } from '../api';
import { language } from '../language';

export type Texts = Readonly<Record<string, string>>;
export type State = 'draft' | 'active' | 'paused' | 'archived';
export type Side = 'low' | 'high';
export type Role = 'viewer' | 'moderator' | 'editor' | 'owner';

/** A geoservice in the list. */
export interface Brief {
  slug: string;
  title: string;
  state: State;
  isPublic: boolean;
  collections: string[];
  role: Role | null;
  openAlerts: number;
}

export interface Nominal {
  kind: 'fixed' | 'seasonal' | 'change';
  side: Side | 'both';
  /** Dates before it can tell; 0 where nothing is learned. */
  least: number;
}

export interface Indicator {
  id: string;
  title: string;
  unit: string;
  nominal: Nominal;
}

export interface Geoservice extends Omit<Brief, 'openAlerts'> {
  timezone: string;
  start: string;
  /** Languages of what is published. */
  locales: string[];
  indicators: Indicator[];
}

/** A text in the page's language, else in English, else in any. */
export function textIn(texts: unknown, fallback: string): string {
  const known = isObject(texts) ? texts : {};
  return text(known[language]) ?? text(known['en']) ?? Object.values(known).map(text).find((each) => each !== null) ?? fallback;
}

const STATES: readonly State[] = ['draft', 'active', 'paused', 'archived'];
const ROLES: readonly Role[] = ['viewer', 'moderator', 'editor', 'owner'];

const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : []);

export function parseBrief(value: Json): Brief | null {
  const slug = text(value['slug']);
  const state = STATES.find((each) => each === value['state']);
  if (!slug || !state) return null;
  return {
    slug, state,
    title: textIn(value['title'], slug),
    isPublic: value['visibility'] === 'public',
    collections: strings(value['collections']),
    role: ROLES.find((each) => each === value['role']) ?? null,
    openAlerts: number(value['open_alerts']) ?? 0,
  };
}

function parseNominal(value: unknown): Nominal {
  const nominal = isObject(value) ? value : {};
  const kind = (['seasonal', 'change'] as const).find((each) => each === nominal['kind']) ?? 'fixed';
  const side = (['high', 'both'] as const).find((each) => each === nominal['side']) ?? 'low';
  const least = kind === 'seasonal' ? number(nominal['min_dates']) : kind === 'change' ? number(nominal['dates']) : 0;
  return { kind, side, least: least ?? 0 };
}

export function parseIndicator(value: Json): Indicator | null {
  const id = text(value['id']);
  if (!id) return null;
  return { id, title: textIn(value['title'], id), unit: text(value['unit']) ?? '', nominal: parseNominal(value['nominal']) };
}

export function parseGeoservice(value: Json): Geoservice | null {
  const brief = parseBrief(value);
  if (!brief) return null;
  return {
    ...brief,
    timezone: text(value['timezone']) ?? 'UTC',
    start: text(value['start']) ?? '',
    locales: strings(value['locales']),
    indicators: objects(value['indicators']).map(parseIndicator).filter((each) => each !== null),
  };
}
