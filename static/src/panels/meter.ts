/** What has been received, against what the original scene and its archive weigh. */
import type { SceneInfo } from '../api';
import { h } from '../dom';
import { formatBytes, formatRatio } from '../format';
import type { Store } from '../store';
import { noTraffic, totalOf, watchTraffic, type Traffic } from '../traffic';

function comparison(received: number, info: SceneInfo | null): string {
  if (!info || info.rawBytes <= 0 || received <= 0) return '';
  const share = info.rawBytes / received;
  return share >= 1 ? `1/${formatRatio(share)} of the original` : `${formatRatio(1 / share)} times the original`;
}

function bar(label: string, bytes: number, whole: number, note: string): HTMLElement {
  const width = whole > 0 ? Math.min(100, (100 * bytes) / whole) : 0;
  return h(
    'div',
    { class: 'bar' },
    h('dt', {}, label),
    h('dd', {}, h('b', {}, formatBytes(bytes)), note ? ` ${note}` : ''),
    h('div', { class: 'bar-track', 'aria-hidden': 'true' }, h('i', { style: `width: ${width.toFixed(2)}%` })),
  );
}

function bars(traffic: Traffic, info: SceneInfo | null): HTMLElement[] {
  const received = totalOf(traffic);
  const whole = Math.max(info?.rawBytes ?? 0, received);
  const rows = [bar('Received by this page', received, whole, '')];
  if (info && info.rawBytes > 0) {
    rows.unshift(bar('Original scene', info.rawBytes, whole, 'as 16-bit bands'));
    rows.splice(1, 0, bar('Its archive', info.archiveBytes, whole, info.ratio > 0 ? `×${formatRatio(info.ratio)} smaller` : ''));
  }
  return rows;
}

function breakdown({ imagery, page, data, requests, unmeasured }: Traffic): string {
  const parts = `Imagery ${formatBytes(imagery)}, page ${formatBytes(page)}, metadata ${formatBytes(data)}; ${requests} requests.`;
  return unmeasured > 0 ? `${parts} Of them ${unmeasured} to the basemap's host, which keeps its sizes to itself.` : parts;
}

export function meterPanel(root: HTMLDetailsElement, store: Store): void {
  const total = h('b', { id: 'received' });
  const share = h('span', { class: 'share' });
  const rows = h('dl', {});
  const detail = h('p', { class: 'hint' });
  root.append(h('summary', {}, total, ' received ', share), rows, detail);
  root.open = matchMedia('(min-width: 48em)').matches;

  let traffic = noTraffic();
  const render = (): void => {
    const received = totalOf(traffic);
    total.textContent = formatBytes(received);
    total.dataset['bytes'] = String(received);
    const words = comparison(received, store.state.info);
    share.textContent = words ? `· ${words}` : '';
    rows.replaceChildren(...bars(traffic, store.state.info));
    detail.textContent = breakdown(traffic);
  };
  watchTraffic((latest) => {
    traffic = latest;
    render();
  });
  store.watch(['info'], render);
}
