/** What has been received, against what the originals of the scenes looked at and their archives weigh. */
import type { SceneInfo } from '../api';
import { h } from '../dom';
import { formatBytes, formatRatio } from '../format';
import type { Store } from '../store';
import { noTraffic, totalOf, watchTraffic, type Traffic } from '../traffic';

/** Sums over the scenes looked at. */
export interface Weight {
  scenes: number;
  rawBytes: number;
  archiveBytes: number;
}

export function weightOf(scenes: Iterable<SceneInfo>): Weight {
  const weight = { scenes: 0, rawBytes: 0, archiveBytes: 0 };
  for (const { rawBytes, archiveBytes } of scenes) {
    weight.scenes += 1;
    weight.rawBytes += rawBytes;
    weight.archiveBytes += archiveBytes;
  }
  return weight;
}

/** `1/45 of the original`, or how many times it where more was received. */
export function comparison(received: number, { scenes, rawBytes }: Weight): string {
  if (rawBytes <= 0 || received <= 0) return '';
  const original = scenes === 1 ? 'the original' : `${scenes} originals`;
  const share = rawBytes / received;
  return share >= 1 ? `1/${formatRatio(share)} of ${original}` : `${formatRatio(1 / share)} times ${original}`;
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

function bars(received: number, { scenes, rawBytes, archiveBytes }: Weight): HTMLElement[] {
  const whole = Math.max(rawBytes, received);
  const mine = bar('Received by this page', received, whole, '');
  if (rawBytes === 0) return [mine];
  const one = scenes === 1;
  const ratio = archiveBytes > 0 ? `×${formatRatio(rawBytes / archiveBytes)} smaller` : '';
  return [
    bar(one ? 'Original scene' : `${scenes} original scenes`, rawBytes, whole, ''),
    bar(one ? 'Its archive' : 'Their archives', archiveBytes, whole, ratio),
    mine,
  ];
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
    const weight = weightOf(store.state.viewed.values());
    const words = comparison(received, weight);
    total.textContent = formatBytes(received);
    total.dataset['bytes'] = String(received);
    share.textContent = words ? `· ${words}` : '';
    rows.replaceChildren(...bars(received, weight));
    detail.textContent = breakdown(traffic);
  };
  watchTraffic((latest) => {
    traffic = latest;
    render();
  });
  store.watch(['viewed'], render);
}
