/** What the page has to say just now: that something failed, and that tiles are on their way. */
import { byId, h, icon } from '../dom';
import type { Store } from '../store';
import { t } from '../words/shell';

/** Work shorter than this isn't worth telling. */
const PATIENCE = 150;

export function notices(store: Store): void {
  const dismiss = (): void => store.update({ error: null });
  const close = h('button', { type: 'button', class: 'round', 'aria-label': t('dismiss'), click: dismiss }, icon('M5 5l10 10M15 5L5 15'));
  const notice = byId('notice');
  store.watch(['error'], ({ error }) => {
    notice.hidden = error === null;
    notice.replaceChildren(...(error ? [h('p', {}, error), close] : []));
  });
}

export function busyBar(store: Store): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const bar = byId('progress');
  bar.replaceChildren(h('span', { class: 'visually-hidden' }, t('loading-tiles')));
  store.watch(['tilesLoading', 'pending'], ({ tilesLoading, pending }) => {
    const busy = tilesLoading || pending !== null;
    byId('stage').ariaBusy = String(busy);
    clearTimeout(timer);
    if (busy) timer = setTimeout(() => (bar.hidden = false), PATIENCE);
    else bar.hidden = true;
  });
}
