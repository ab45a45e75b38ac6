/** The link to what is shown: copied, shortened, sent, or as a QR code to be photographed. */
import { ApiError, fetchJson, text, url } from '../../api';
import { h } from '../../dom';
import { addSheet } from '../../sheets';
import type { State, Store } from '../../store';
import { words } from '../../words/words';
import { copyText, saveBlob, sentence } from '../common';
import type { Context, ToolPanel } from '../registry';
import { codeOf, drawCode } from './qr';
import css from './share.css';

type Key = keyof typeof import('../../words/share/en.json');
const t = words<Key>('share');
const SAID = 2500;

addSheet(css);

/** What the view is called in a message. */
export function titleOf({ item, style, info }: Readonly<State>): string {
  const shown = info?.styles.find(({ id }) => id === style)?.title;
  return ['COMEO', item?.id, shown].filter(Boolean).join(' · ');
}

class Share implements ToolPanel {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #field = h('input', { id: 'share-link', readonly: true, dir: 'ltr', focus: () => this.#field.select() });
  readonly #copy = h('button', { type: 'button', class: 'share-main', click: () => void this.#copyLink() }, t('copy'));
  readonly #shorten = h('button', { type: 'button', click: () => void this.#makeShort() }, t('shorten'));
  readonly #said = h('p', { class: 'hint', role: 'status' });
  readonly #code = h('div', { class: 'share-code' });
  readonly #save = h('button', { type: 'button', click: () => this.#saveCode() }, t('save-qr'));
  #open = false;
  #watching: ReturnType<typeof setInterval> | undefined;

  constructor({ store }: Context) {
    this.#store = store;
    const send = h('button', { type: 'button', click: () => void this.#send() }, t('send'));
    send.hidden = typeof navigator.share !== 'function';
    this.element = h('div', { class: 'share' },
      h('label', { for: 'share-link' }, t('link')),
      h('div', { class: 'share-row' }, this.#field, this.#copy),
      h('p', { class: 'hint' }, t('holds')),
      h('div', { class: 'share-row' }, send, this.#shorten, this.#save),
      this.#said, this.#code);
  }

  open(): void {
    this.#open = true;
    this.#show(location.href);
    // the address follows the map without an event of its own
    let seen = location.href;
    this.#watching = setInterval(() => {
      if (this.#open && location.href !== seen) this.#show((seen = location.href));
    }, 300);
  }

  close(): void {
    this.#open = false;
    clearInterval(this.#watching);
  }

  #show(link: string): void {
    this.#field.value = link;
    const code = codeOf(link);
    this.#save.disabled = code === null;
    this.#code.replaceChildren(code ? drawCode(code, t('qr')) : h('p', { class: 'hint' }, t('too-long')));
  }

  async #copyLink(): Promise<void> {
    const done = await copyText(this.#field.value);
    if (!done) this.#field.focus(); // no right to the clipboard: the link is selected, to be copied by hand
    this.#said.textContent = t(done ? 'copied' : 'selected');
    setTimeout(() => (this.#said.textContent = ''), SAID);
  }

  async #makeShort(): Promise<void> {
    const body = JSON.stringify({ state: location.hash.slice(1), title: titleOf(this.#store.state) });
    try {
      const answer = await fetchJson(url('h'), undefined, { method: 'POST', body, headers: { 'Content-Type': 'application/json', Accept: 'application/json' } });
      const id = text(answer['id']);
      if (!id) throw new ApiError(t('no-short'), null);
      this.#show(url(`h/${encodeURIComponent(id)}`).href);
      this.#copy.focus();
    } catch (error) {
      const none = error instanceof ApiError && (error.status === 404 || error.status === 405);
      this.#said.textContent = none ? t('no-short') : sentence(error);
    }
  }

  async #send(): Promise<void> {
    const shared = { title: titleOf(this.#store.state), url: this.#field.value };
    // who closes the list of receivers has changed their mind
    await navigator.share(shared).catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === 'AbortError')) this.#said.textContent = String(error);
    });
  }

  #saveCode(): void {
    const drawing = this.#code.querySelector('svg');
    if (!drawing) return;
    saveBlob(new Blob([new XMLSerializer().serializeToString(drawing)], { type: 'image/svg+xml' }), 'comeo-link.svg');
  }
}

export const create = (context: Context): ToolPanel => new Share(context);
