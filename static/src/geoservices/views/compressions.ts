/** Compressions of one's own: a product is sent, or an Item named; what came of it. */
import { ApiError } from '../../api';
import { h } from '../../dom';
import { formatBytes, formatRatio } from '../../format';
import { addSheet } from '../../sheets';
import { words } from '../../words/words';
import { write } from '../api';
import { fetchCompressions, isWorking, type Compression } from '../compressions/jobs';
import { faultsOf, showFaults } from '../faults';
import css from '../form.css';
import { linkTo } from '../route';
import { loadOwnWords } from '../say';
import type { Context, Show } from '../views';

type Key = keyof typeof import('../words/compressions/en.json');
const t = words<Key>('compressions');
const RATIOS = [10, 25, 50, 100, 200];
const USUAL = 100;
const LOOK_AGAIN = 1500;

addSheet(css);

function links({ made }: Compression): HTMLElement[] {
  if (!made) return [];
  const { collection, item, archive, certificate } = made;
  const view = `./#collection=${encodeURIComponent(collection)}&item=${encodeURIComponent(item)}`;
  return [h('p', { class: 'sub' }, t('made', { size: formatBytes(made.bytes), ratio: formatRatio(made.ratio) })),
    h('div', { class: 'actions' }, h('a', { class: 'button main', href: view }, t('view')), h('a', { class: 'button', href: archive, download: '' }, t('archive')),
      h('a', { class: 'button', href: certificate }, t('certificate')))];
}

function row(one: Compression, stop: (one: Compression) => void): HTMLElement {
  const works = isWorking(one);
  const bar = h('progress', { max: 100, value: one.progress, 'aria-label': t('progress') });
  const told = one.state === 'failed' || works ? h('p', { class: one.state === 'failed' ? 'fault' : 'sub', lang: 'en', dir: 'ltr' }, one.message) : null;
  return h('li', { class: 'card', 'data-job': one.job }, h('h3', {}, h('bdi', { dir: 'ltr' }, one.name)),
    h('p', { class: 'service-facts' }, h('span', { class: 'tag', 'data-kind': one.state === 'failed' ? 'alert' : null }, t(one.state))), told,
    ...(works ? [bar, h('div', { class: 'actions' }, h('button', { type: 'button', class: 'button', click: () => stop(one) }, t('stop')))] : links(one)));
}

/** The list, which is looked at again as long as something works; answers how to look at once. */
function list(host: HTMLElement, first: readonly Compression[], { signal, complain }: Context): () => Promise<void> {
  const rows = h('ul', { class: 'alerts' });
  const none = h('p', { class: 'sub' }, t('none'));
  host.append(h('section', { class: 'card narrow' }, h('h2', {}, t('yours')), none, rows));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (one: Compression): void => void write('DELETE', `jobs/${one.job}`).then(look).catch(complain);
  const show = (found: readonly Compression[]): void => {
    none.hidden = found.length > 0;
    rows.hidden = found.length === 0;
    rows.replaceChildren(...found.map((one) => row(one, stop)));
    if (found.some(isWorking)) timer = setTimeout(() => void look().catch(complain), LOOK_AGAIN);
  };
  const look = async (): Promise<void> => {
    clearTimeout(timer);
    if (signal.aborted) return;
    const found = await fetchCompressions(signal).catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
    if (found) show(found);
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  show(first);
  return look;
}

function choice(value: string, label: string, checked: boolean, changed: () => void): HTMLElement {
  return h('label', { class: 'check' }, h('input', { type: 'radio', name: 'source', value, checked, change: changed }), label);
}

function order(host: HTMLElement, ordered: () => Promise<void>, { complain, signal }: Context): void {
  const file = h('input', { type: 'file', accept: '.zip,.tif,.tiff', 'data-field': 'upload' });
  const item = h('input', { type: 'url', dir: 'ltr', maxlength: 2000, 'data-field': 'item', placeholder: 'https://' });
  const files = h('label', {}, t('file-label'), file, h('span', { class: 'hint' }, t('file-hint')));
  const items = h('label', { hidden: true }, t('item-label'), item, h('span', { class: 'hint' }, t('item-hint')));
  const ofItem = (): boolean => form.querySelector<HTMLInputElement>('[name=source]:checked')?.value === 'item';
  const changed = (): void => {
    files.hidden = ofItem();
    items.hidden = !ofItem();
  };
  const ratio = h('select', { 'data-field': 'quality.ratio' }, ...RATIOS.map((each) => h('option', { value: each, selected: each === USUAL }, t('times', { ratio: each }))));
  const collection = h('input', { type: 'text', dir: 'ltr', maxlength: 128, autocomplete: 'off', 'data-field': 'quality.collection' });
  const button = h('button', { type: 'submit', class: 'button main' }, t('compress'));
  const stopper = h('button', { type: 'button', class: 'button', hidden: true }, t('stop'));
  const bar = h('progress', { max: 1, value: 0, hidden: true, 'aria-label': t('progress') });
  const status = h('p', { role: 'status' });
  const form = h('form', { class: 'form', novalidate: true },
    h('fieldset', { class: 'sources' }, h('legend', {}, t('source')), choice('file', t('file'), true, changed), choice('item', t('item'), false, changed)), files, items,
    h('label', {}, t('ratio'), ratio, h('span', { class: 'hint' }, t('ratio-hint'))), h('label', {}, t('collection'), collection, h('span', { class: 'hint' }, t('collection-hint'))),
    bar, status, h('div', { class: 'actions' }, button, stopper));

  /** Sends the file; answers the id of the upload. */
  const sent = async (product: File): Promise<string> => {
    const { send } = await import('../compressions/upload');
    let note = '';
    const told = (done: number, whole: number): void => {
      bar.value = whole > 0 ? done / whole : 0;
      status.textContent = `${t('sending', { sent: formatBytes(done), whole: formatBytes(whole) })} ${note}`.trim();
    };
    const sending = send(product, told, () => (note = t('resumed')));
    const stop = (): void => sending.stop();
    stopper.onclick = stop;
    signal.addEventListener('abort', stop);
    bar.hidden = stopper.hidden = false;
    return sending.done.finally(() => (bar.hidden = stopper.hidden = true));
  };
  const work = async (): Promise<void> => {
    const product = file.files?.[0];
    const source = ofItem() ? { item: item.value.trim() } : product ? { upload: await sent(product) } : null;
    if (!source || source.item === '') throw new ApiError(t(ofItem() ? 'no-item' : 'no-file'), null);
    const quality = { ratio: Number(ratio.value), ...(collection.value.trim() && { collection: collection.value.trim() }) };
    await write('POST', 'compressions', { body: { ...source, quality } });
    file.value = item.value = '';
    status.textContent = t('ordered');
    await ordered();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = '';
    showFaults(form, []);
    void work().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'AbortError') return void (status.textContent = t('stopped'));
      if (!(error instanceof ApiError)) return complain(error);
      status.textContent = showFaults(form, faultsOf(error)).map(({ sentence }) => sentence).join(' ') || status.textContent;
    }).finally(() => (button.disabled = false));
  });
  host.append(h('section', { class: 'card narrow' }, h('h2', {}, t('new')), form));
}

export const show: Show = async (host, context) => {
  const { account, entitle, signal } = context;
  await loadOwnWords('compressions');
  entitle(t('title'));
  host.append(h('div', { class: 'head' }, h('h1', {}, t('title')), h('p', { class: 'sub' }, t('what'))));
  const state = (sentence: string, ...more: HTMLElement[]): void => host.append(h('div', { class: 'state' }, h('p', {}, sentence), ...more));
  if (!account) {
    state(t('enter'), h('a', { class: 'button', href: linkTo('sign-in') }, t('sign-in')));
    return () => undefined;
  }
  if (!account.compressions) {
    state(t('off'));
    return () => undefined;
  }
  const first = await fetchCompressions(signal);
  let look = async (): Promise<void> => undefined;
  order(host, () => look(), context);
  look = list(host, first, context);
  return () => undefined;
};
