/** The server's interface of geoservices: who is signed in, reads with their ETag, writes with CSRF token and If-Match. */
import { ApiError, fetchAnswer, isObject, number, sameServer, text, url, withQuery, type Json } from '../api';

export interface Account {
  id: number;
  email: string;
  name: string;
  locale: string;
  /** Whether the server compresses products that people send. */
  compressions: boolean;
}

/** A document, and the ETag of its state that a write sends back. */
export interface Document {
  body: Json;
  etag: string | null;
}

type Query = Readonly<Record<string, string | number | null | undefined>>;
type Method = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const TOKEN = 'X-CSRF-Token';
let token = '';

/** An address below the server's root; what is null is left out of its query. */
export function address(path: string, query: Query = {}): URL {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return withQuery(url(path), Object.fromEntries(given.map(([name, value]) => [name, String(value)])));
}

/** Path of a geoservice, or of a part of it. */
export const pathOf = (slug: string, part = ''): string => `geoservices/${encodeURIComponent(slug)}${part && `/${part}`}`;

export async function read(path: string, query: Query = {}, signal?: AbortSignal): Promise<Document> {
  const { response, body } = await fetchAnswer(address(path, query), signal);
  return { body, etag: response.headers.get('ETag') };
}

/** As `read`; null where there is nothing, or nothing that one may see (404). */
export async function readIfThere(path: string, query: Query = {}, signal?: AbortSignal): Promise<Document | null> {
  try {
    return await read(path, query, signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

export interface Write {
  body?: unknown;
  /** ETag of the state that the write rests on. */
  etag?: string | null;
}

/** What proves to the server that a write is of this page. */
export const proof = (): Record<string, string> => ({ [TOKEN]: token });

/** A write. It fails with status 412 if somebody has changed the document meanwhile. */
export async function write(method: Method, path: string, { body, etag }: Write = {}): Promise<Document> {
  const headers: Record<string, string> = { Accept: 'application/json', ...proof() };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (etag) headers['If-Match'] = etag;
  const { response, body: answer } = await fetchAnswer(url(path), undefined, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  return { body: answer, etag: response.headers.get('ETag') };
}

/** Who is signed in, null for nobody; from then on writes carry the session's token. */
export async function fetchAccount(signal?: AbortSignal): Promise<Account | null> {
  const { response, body } = await fetchAnswer(url('account'), signal);
  token = response.headers.get(TOKEN) ?? '';
  const found = body['account'];
  if (!isObject(found)) return null;
  const id = number(found['id']);
  const email = text(found['email']);
  if (id === null || email === null) return null;
  return { id, email, name: text(found['name']) ?? '', locale: text(found['locale']) ?? 'en', compressions: body['compressions'] === true };
}

/** Where one may sign in besides by mail; null where nowhere. */
export async function fetchProvider(signal?: AbortSignal): Promise<{ name: string; href: string } | null> {
  const { body } = await fetchAnswer(url('account'), signal);
  const found = body['oidc'];
  const name = isObject(found) && text(found['name']);
  const href = isObject(found) && text(found['href']);
  return name && href ? { name, href: sameServer(href) } : null;
}

/** Signs out, wherever one is signed in. */
export const signOut = (): Promise<Document> => write('POST', 'account/logout');
