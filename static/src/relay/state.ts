/** How the server's relay stands, as `relay/v1/status` tells: everything that arrives is checked here. */
import { fetchJson, isObject, number, objects, text, url, type Json } from '../api';

export const HERE = ['complete', 'area', 'coarse', 'head', 'waiting', 'faulty'] as const;
/** How much of a scene is here. */
export type Here = (typeof HERE)[number];
const LAYERS = ['head', 'coarse', 'area', 'rest'] as const;
export type Layer = (typeof LAYERS)[number];
const DOING = ['fetching', 'waiting', 'closed', 'quota', 'disk', 'down', 'stopped'] as const;
export type Doing = (typeof DOING)[number];
const FAULTS = ['unreachable', 'refused', 'distrusted'] as const;
export type Fault = (typeof FAULTS)[number];

export interface Origin {
  name: string;
  /** Null before it was tried. */
  up: boolean | null;
  since: Date | null;
  fault: Fault | null;
}

export interface Piece {
  id: string;
  layer: Layer;
  ends: Date;
  bytes: number;
}

/** Of a day or a month, on the wire. */
export interface Quota {
  spent: number;
  /** Null where there is none. */
  most: number | null;
}

export interface RelayState {
  doing: Doing;
  /** When that may change, where it is known. */
  until: Date | null;
  origins: Origin[];
  scenes: Record<Here, number>;
  /** Bytes of archives that are here, and that are free on the disk. */
  here: number;
  free: number;
  today: Quota;
  month: Quota;
  /** What people look at and is not here, and what was fetched for them today; null where nothing is. */
  wanted: { places: number; bytes: number; today: Quota } | null;
  coming: Piece[];
  /** All that is foretold; `more` where there is more than that. */
  foretold: { pieces: number; bytes: number; ends: Date | null; more: boolean; price: number };
  currency: string;
  faults: { id: string; problem: string }[];
  faulty: number;
}

const part = (body: Json, name: string): Json => (isObject(body[name]) ? body[name] : {});
const count = (value: unknown): number => Math.max(0, number(value) ?? 0);
const quota = (spent: unknown, most: unknown): Quota => ({ spent: count(spent), most: number(most) });
const one = <Of extends string>(known: readonly Of[], value: unknown): Of | null => known.find((each) => each === value) ?? null;

function moment(value: unknown): Date | null {
  const when = new Date(text(value) ?? NaN);
  return Number.isNaN(when.getTime()) ? null : when;
}

function parsePiece(piece: Json): Piece | null {
  const [id, layer, ends] = [text(piece['id']), one(LAYERS, piece['layer']), moment(piece['ends'])];
  return id && layer && ends ? { id, layer, ends, bytes: count(piece['wire_bytes']) } : null;
}

export function parseState(body: Json): RelayState {
  const [scenes, bytes, spent, foretold, doing] = ['scenes', 'bytes', 'spent', 'foretold', 'doing'].map((name) => part(body, name)) as [Json, Json, Json, Json, Json];
  const wanted = isObject(body['wanted']) ? body['wanted'] : null;
  return {
    doing: one(DOING, doing['what']) ?? 'stopped',
    until: moment(doing['until']),
    origins: objects(body['origins']).map((each) => ({
      name: text(each['name']) ?? '', up: typeof each['up'] === 'boolean' ? each['up'] : null, since: moment(each['since']), fault: one(FAULTS, each['fault']),
    })),
    // what is but for a last layer sharp over its area
    scenes: { ...(Object.fromEntries(HERE.map((name) => [name, count(scenes[name])])) as Record<Here, number>), area: count(scenes['area']) + count(scenes['rest']) },
    here: count(bytes['here']),
    free: count(bytes['free']),
    today: quota(spent['today'], spent['daily']),
    month: quota(spent['month'], spent['monthly']),
    wanted: wanted ? { places: count(wanted['places']), bytes: count(wanted['bytes']), today: quota(wanted['today'], wanted['daily']) } : null,
    coming: objects(body['coming']).map(parsePiece).filter((each) => each !== null),
    foretold: { pieces: count(foretold['pieces']), bytes: count(foretold['wire_bytes']), ends: moment(foretold['ends']), more: foretold['more'] === true, price: count(foretold['price']) },
    currency: text(part(body, 'link')['currency']) ?? '',
    faults: objects(body['faults']).map((each) => ({ id: text(each['id']) ?? '?', problem: text(each['problem']) ?? '' })),
    faulty: count(body['faulty']),
  };
}

export const totalOf = ({ scenes }: RelayState): number => HERE.reduce((sum, name) => sum + scenes[name], 0);

export const fetchState = async (): Promise<RelayState> => parseState(await fetchJson(url('relay/v1/status')));
