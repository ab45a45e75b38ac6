/** Makes the page one that can be installed and opened without a link, and says when it shows what was kept. */
import { byId, h } from '../dom';
import { loadWords, words } from '../words/words';
import { cacheOf } from './caches';
import { SHELL } from './keys';

type Key = keyof typeof import('../words/shell/en.json');
const t = words<Key>('shell');

/** Puts what the first visit has fetched into the caches, out of the browser's own cache: no byte is fetched again. */
async function seed(): Promise<void> {
  const base = new URL('.', document.baseURI).href;
  const addresses = new Set(performance.getEntriesByType('resource').map(({ name }) => name));
  for (const address of [base, ...addresses]) {
    const name = address === base ? SHELL : cacheOf(address, base);
    if (!name || (await caches.match(address))) continue;
    const answer = await fetch(address, { cache: 'force-cache', mode: 'same-origin' }).catch(() => null);
    if (answer?.ok) await (await caches.open(name)).put(address, answer);
  }
}

function showState(): void {
  const pill = h('p', { id: 'offline-state', role: 'status', hidden: true });
  byId('stage').append(pill);
  let kept = false;
  const show = (): void => {
    pill.hidden = navigator.onLine && !kept;
    pill.textContent = pill.hidden ? '' : t('offline');
  };
  addEventListener('online', () => {
    kept = false;
    show();
  });
  addEventListener('offline', show);
  navigator.serviceWorker.addEventListener('message', ({ data }: MessageEvent<{ kept?: boolean }>) => {
    kept ||= data.kept === true;
    show();
  });
  show();
}

export async function startOffline(): Promise<void> {
  if (!('serviceWorker' in navigator) || !isSecureContext) return;
  showState();
  await navigator.serviceWorker.register(new URL('sw.js', document.baseURI));
  await navigator.serviceWorker.ready;
  // what is kept can be gone to and deleted without a link, too
  await Promise.all([import('../tools/offline/offline'), loadWords('offline')]);
  await seed();
  document.documentElement.dataset['offline'] = 'ready';
}
