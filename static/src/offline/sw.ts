/**
 * The service worker: lets the page open without a link, and show what has been seen or kept.
 *
 * Files whose names carry a hash come from the cache first. Everything else comes from the server while it answers, and
 * from the caches when it does not; the page is told of that, and says so. Tiles that were kept are found whatever
 * their stretch or density: better another contrast than none.
 */
import { DATA, keptKey, KEPT, rangeKey, SEEN, SHELL } from './keys';

declare const self: ServiceWorkerGlobalScope;
interface ServiceWorkerGlobalScope extends EventTarget {
  skipWaiting(): Promise<void>;
  registration: { scope: string };
  clients: { claim(): Promise<void>; get(id: string): Promise<{ postMessage(message: unknown): void } | undefined> };
}
interface FetchEvent extends Event {
  request: Request;
  clientId: string;
  resultingClientId: string;
  respondWith(answer: Promise<Response>): void;
  waitUntil(work: Promise<unknown>): void;
}

/** Entries of the caches of what was merely seen; the oldest go first. */
const MOST = { [SEEN]: 600, [DATA]: 200 } as const;

const pathOf = (url: string): string => new URL(url).href.slice(self.registration.scope.length);

async function put(name: string, key: string, answer: Response): Promise<void> {
  const cache = await caches.open(name);
  await cache.put(key, answer);
  const most = (MOST as Record<string, number>)[name];
  const keys = most ? await cache.keys() : [];
  await Promise.all(keys.slice(0, Math.max(0, keys.length - (most ?? 0))).map((old) => cache.delete(old)));
}

async function tell(event: FetchEvent): Promise<void> {
  const client = await self.clients.get(event.clientId || event.resultingClientId);
  client?.postMessage({ kept: true });
}

/** A file that never changes. */
async function immutable(event: FetchEvent): Promise<Response> {
  const known = await caches.match(event.request.url);
  if (known) return known;
  const answer = await fetch(event.request);
  if (answer.ok) event.waitUntil(put(SHELL, event.request.url, answer.clone()));
  return answer;
}

/** A part of a file: caches take whole answers only, so each range is kept under a name of its own. */
async function range(event: FetchEvent): Promise<Response> {
  const wanted = event.request.headers.get('range') ?? '';
  const key = rangeKey(event.request.url, wanted);
  try {
    const answer = await fetch(event.request);
    if (answer.status === 206) {
      const headers = { 'content-range': answer.headers.get('content-range') ?? '', etag: answer.headers.get('etag') ?? '' };
      const kept = answer.clone();
      event.waitUntil(kept.arrayBuffer().then((bytes) => put(SEEN, key, new Response(bytes, { headers }))));
    }
    return answer;
  } catch (error) {
    const known = await caches.match(key);
    if (!known) throw error;
    return new Response(await known.arrayBuffer(), { status: 206, headers: known.headers });
  }
}

async function latest(event: FetchEvent, name: string, keys: readonly string[]): Promise<Response> {
  const [key = event.request.url] = keys;
  try {
    const answer = await fetch(event.request);
    if (answer.ok) event.waitUntil(put(name, key, answer.clone()));
    return answer;
  } catch (error) {
    for (const each of keys) {
      const known = await caches.match(each);
      if (!known) continue;
      event.waitUntil(tell(event));
      return known;
    }
    throw error;
  }
}

function answerTo(event: FetchEvent): Promise<Response> | null {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.registration.scope)) return null;
  const path = pathOf(request.url);
  if (request.mode === 'navigate') return /^(#|\?|index\.html|$)/.test(path) ? latest(event, SHELL, [self.registration.scope]) : null;
  if (request.headers.has('range')) return range(event);
  if (path.startsWith('assets/')) return immutable(event);
  if (/\/tiles\//.test(path)) return latest(event, SEEN, [request.url, keptKey(request.url)]);
  if (/^(stac|collections|viewer-config\.json|manifest)/.test(path)) return latest(event, DATA, [request.url]);
  return null;
}

self.addEventListener('install', (event) => (event as FetchEvent).waitUntil(self.skipWaiting()));
self.addEventListener('activate', (event) => {
  const ours = new Set<string>([SHELL, SEEN, DATA]);
  const stale = caches.keys().then((names) => names.filter((name) => name.startsWith('comeo-') && !name.startsWith(KEPT) && !ours.has(name)));
  (event as FetchEvent).waitUntil(stale.then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});
self.addEventListener('fetch', (event) => {
  const answer = answerTo(event as FetchEvent);
  if (answer) (event as FetchEvent).respondWith(answer);
});
