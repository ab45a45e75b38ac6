/** Alerts that wait for a decision, and what each rests on. */
import { isObject, number, objects, text, type Json } from '../../api';
import { read, write } from '../api';
import { textIn } from '../model';
import { dotsOf, type Dot } from '../dots';
import { language } from '../../language';

export const REASONS = ['cloud', 'season', 'harvest', 'artefact', 'other'] as const;
export type Reason = (typeof REASONS)[number];

export interface Waiting {
  id: number;
  slug: string;
  geoservice: string;
  site: string;
  indicator: string;
  severity: number;
  since: Date;
}

export interface Picture {
  source: string;
  caption: string;
}

export interface Row {
  day: string;
  value: string;
  nominal: string;
  outside: boolean;
}

export interface Evidence {
  heading: string;
  sentences: string[];
  rows: Row[];
  pictures: Picture[];
  error: Picture | null;
  /** Sentences that are not always there: the archive's ratio, and how alerts like this were decided. */
  ratio: string | null;
  habit: string | null;
  map: string;
  dots: Dot[];
}

function parseWaiting(value: Json): Waiting | null {
  const [id, slug] = [number(value['id']), text(value['geoservice'])];
  const names = isObject(value['names']) ? value['names'] : {};
  const first = isObject(value['first']) ? value['first'] : {};
  if (id === null || !slug) return null;
  return {
    id, slug,
    geoservice: textIn(names['geoservice'], slug), site: textIn(names['site'], ''), indicator: textIn(names['indicator'], ''),
    severity: number(value['severity']) ?? 1, since: new Date(text(first['datetime']) ?? 0),
  };
}

export async function fetchWaiting(slug: string, signal: AbortSignal): Promise<{ alerts: Waiting[]; waiting: number }> {
  const { body } = await read('alerts', { geoservice: slug }, signal);
  const alerts = objects(body['alerts']).map(parseWaiting).filter((each) => each !== null);
  return { alerts, waiting: number(body['waiting']) ?? alerts.length };
}

const parsePicture = (value: unknown): Picture | null => {
  const source = isObject(value) ? text(value['source']) : null;
  return source && isObject(value) ? { source, caption: text(value['caption']) ?? '' } : null;
};

export async function fetchEvidence(id: number, signal: AbortSignal): Promise<Evidence> {
  const { body } = await read(`alerts/${id}/evidence`, { locale: language }, signal);
  const sentences = Array.isArray(body['sentences']) ? body['sentences'].map(text).filter((each) => each !== null) : [];
  return {
    heading: text(body['heading']) ?? '', sentences,
    rows: objects(body['rows']).map((each) => ({ day: text(each['day']) ?? '', value: text(each['value']) ?? '', nominal: text(each['nominal']) ?? '', outside: each['outside'] === true })),
    pictures: objects(body['pictures']).map(parsePicture).filter((each) => each !== null),
    error: parsePicture(body['error']),
    ratio: text(body['ratio']), habit: text(body['habit']), map: text(body['map']) ?? '',
    dots: dotsOf(body['dates']),
  };
}

export async function decide(id: number, reason: Reason | null, comment: string): Promise<void> {
  const what = reason ? { decision: 'dismiss', reason } : { decision: 'confirm' };
  await write('POST', `alerts/${id}/decision`, { body: { ...what, comment } });
}
