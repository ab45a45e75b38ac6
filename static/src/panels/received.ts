/** What has been received, part by part, beside what the scenes weigh. */
import type { SceneInfo } from '../api';
import { h } from '../dom';
import { formatBytes, formatRatio } from '../format';
import { addSheet } from '../sheets';
import type { Store } from '../store';
import type { Traffic } from '../traffic';
import { words } from '../words/words';
import css from './received.css';

const t = words<keyof typeof import('../words/meter/en.json')>('meter');

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

/** `1/45 of the original`, or how many times it where more imagery was received. */
export function comparison(imagery: number, { scenes, rawBytes }: Weight): string {
  if (rawBytes <= 0 || imagery <= 0) return '';
  const share = rawBytes / imagery;
  return share >= 1
    ? t('part-of-original', { ratio: formatRatio(share), count: scenes })
    : t('times-original', { ratio: formatRatio(1 / share), count: scenes });
}

function bar(label: string, bytes: number, whole: number, note = ''): HTMLElement {
  const width = whole > 0 ? Math.min(100, (100 * bytes) / whole) : 0;
  return h(
    'div',
    { class: 'bar' },
    h('dt', {}, label),
    h('dd', {}, h('b', {}, formatBytes(bytes)), note ? ` ${note}` : ''),
    h('div', { class: 'bar-track', 'aria-hidden': 'true' }, h('i', { style: `width: ${width.toFixed(2)}%` })),
  );
}

/** Originals, archives, and of what was received each kind by itself. */
function bars({ imagery, data, map, page }: Traffic, { scenes, rawBytes, archiveBytes }: Weight): HTMLElement[] {
  const whole = Math.max(rawBytes, imagery, map, page);
  const received = [bar(t('received-imagery'), imagery, whole), bar(t('received-data'), data, whole), bar(t('received-map'), map, whole), bar(t('received-page'), page, whole)];
  if (rawBytes === 0) return received;
  const ratio = archiveBytes > 0 ? t('smaller', { ratio: formatRatio(rawBytes / archiveBytes) }) : '';
  return [
    bar(t('original-scenes', { count: scenes }), rawBytes, whole),
    bar(t('their-archives', { count: scenes }), archiveBytes, whole, ratio),
    ...received,
  ];
}

export function receivedParts(store: Store): { element: HTMLElement; show: (traffic: Traffic) => void } {
  addSheet(css);
  const share = h('p', {});
  const rows = h('dl', {});
  const detail = h('p', { class: 'hint' });
  const show = (traffic: Traffic): void => {
    const weight = weightOf(store.state.viewed.values());
    const { requests, unmeasured } = traffic;
    share.textContent = comparison(traffic.imagery, weight);
    rows.replaceChildren(...bars(traffic, weight));
    detail.textContent = [t('requests', { count: requests }), unmeasured > 0 && t('unmeasured', { count: unmeasured })].filter(Boolean).join(' ');
  };
  return { element: h('div', { class: 'meter-body' }, share, rows, detail), show };
}
