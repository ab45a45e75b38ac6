/** What has been received: a pill that opens. Its parts come when it is opened. */
import { h } from '../dom';
import { formatBytes } from '../format';
import type { Store } from '../store';
import { noTraffic, totalOf, watchTraffic, type Traffic } from '../traffic';
import { t } from '../words/shell';
import { withWords } from '../words/words';

export function meterPanel(root: HTMLDetailsElement, store: Store): void {
  const total = h('b', { id: 'received' });
  root.append(h('summary', {}, total, ' ', t('received')));
  let traffic = noTraffic();
  let showParts: ((traffic: Traffic) => void) | null = null;
  const render = (): void => {
    const received = totalOf(traffic);
    total.textContent = formatBytes(received);
    total.dataset['bytes'] = String(received);
    showParts?.(traffic);
  };
  const open = async (): Promise<void> => {
    const { receivedParts } = await withWords('meter', import('./received'));
    if (showParts) return;
    const { element, show } = receivedParts(store);
    showParts = show;
    root.append(element);
    render();
  };
  root.addEventListener('toggle', () => {
    if (root.open && !showParts) open().catch(() => store.update({ error: t('no-answer') }));
  });
  watchTraffic((latest) => {
    traffic = latest;
    render();
  });
  store.watch(['viewed'], render);
}
