/** What the server finds wrong with a formula, and where. */
import { fetchJson, number, objects, text, url } from '../../api';

export interface Refusal {
  message: string;
  /** Characters of the formula; null where the whole of it is meant. */
  offset: number | null;
  length: number;
}

/** The first fault of a document's formula; null if there is none, or the server doesn't say. */
export async function checkDocument(document: string): Promise<Refusal | null> {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
  const body = await fetchJson(url('pof/check'), undefined, { method: 'POST', body: document, headers }).catch(() => null);
  const [error] = objects(body?.['errors']).filter(({ path }) => path === 'value.formula');
  const message = text(error?.['message']);
  return error && message ? { message, offset: number(error['offset']), length: number(error['length']) ?? 0 } : null;
}
