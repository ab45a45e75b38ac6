/** Compressions as the server tells of them. */
import { isObject, number, objects, sameServer, text, type Json } from '../../api';
import { read } from '../api';

export const STATES = ['accepted', 'running', 'successful', 'failed', 'dismissed'] as const;

export interface Compression {
  job: string;
  state: (typeof STATES)[number];
  /** Percent. */
  progress: number;
  message: string;
  name: string;
  /** Once it is done. */
  made: { collection: string; item: string; bytes: number; ratio: number; archive: string; certificate: string } | null;
}

export const isWorking = ({ state }: Compression): boolean => state === 'accepted' || state === 'running';

export function parseCompression(body: Json): Compression | null {
  const job = text(body['jobID']);
  const state = STATES.find((each) => each === body['status']);
  if (!job || !state) return null;
  const estimate = isObject(body['estimate']) ? body['estimate'] : {};
  const archive = isObject(body['archive']) ? body['archive'] : {};
  const [collection, item] = [text(archive['collection']), text(archive['item'])];
  const href = (rel: string): string | null => text(objects(body['links']).find((each) => each['rel'] === rel)?.['href']);
  const [file, certificate] = [href('enclosure'), href('describedby')];
  const made = collection && item && file && certificate
    ? { collection, item, bytes: number(archive['bytes']) ?? 0, ratio: number(archive['ratio']) ?? 0, archive: sameServer(file), certificate: sameServer(certificate) }
    : null;
  return { job, state, progress: number(body['progress']) ?? 0, message: text(body['message']) ?? '', name: text(estimate['name']) ?? item ?? job, made };
}

export async function fetchCompressions(signal: AbortSignal): Promise<Compression[]> {
  const { body } = await read('compressions', {}, signal);
  return objects(body['jobs']).map(parseCompression).filter((each) => each !== null);
}
