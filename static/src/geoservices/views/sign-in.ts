/** Signing in by a link in a mail; who is signed in changes name and language here, and signs out. */
import { ApiError } from '../../api';
import { h } from '../../dom';
import { LANGUAGES } from '../../language';
import { addSheet } from '../../sheets';
import { words } from '../../words/words';
import { loadOwnWords } from '../say';
import { fetchProvider, read, signOut, write, type Account } from '../api';
import { faultsOf, showFaults } from '../faults';
import css from '../form.css';
import type { Context, Show } from '../views';

type Key = keyof typeof import('../words/sign-in/en.json');
const t = words<Key>('sign-in');

addSheet(css);

/** Does what a form sends; what the server finds wrong stands under its field. */
function sending(form: HTMLFormElement, button: HTMLButtonElement, status: HTMLElement, complain: Context['complain'], work: () => Promise<string>): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = '';
    showFaults(form, []);
    void work()
      .then((done) => (status.textContent = done))
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) return complain(error);
        status.textContent = showFaults(form, faultsOf(error)).map(({ sentence }) => sentence).join(' ');
      })
      .finally(() => (button.disabled = false));
  });
}

async function entrance(host: HTMLElement, { entitle, complain, signal }: Context): Promise<void> {
  entitle(t('title'));
  const provider = await fetchProvider(signal);
  const email = h('input', { type: 'email', name: 'email', autocomplete: 'email', required: true, maxlength: 254, dir: 'ltr', 'data-field': 'email' });
  const button = h('button', { type: 'submit', class: 'button main' }, t('send'));
  const status = h('p', { role: 'status', class: 'sent' });
  const form = h('form', { class: 'form', novalidate: true }, h('label', {}, t('address'), email), h('div', { class: 'actions' }, button), status);
  sending(form, button, status, complain, async () => {
    await write('POST', 'account/login', { body: { email: email.value.trim() } });
    return t('sent', { address: email.value.trim() });
  });
  const other = provider && h('div', { class: 'actions' }, h('a', { class: 'button', href: provider.href }, t('with', { name: provider.name })));
  host.append(h('section', { class: 'card narrow' }, h('h1', {}, t('title')), h('p', { class: 'sub' }, t('how')), form, ...(other ? [other] : [])));
}

async function own(host: HTMLElement, account: Account, { entitle, complain, renew, signal }: Context): Promise<void> {
  entitle(t('account'));
  let etag = (await read('account', {}, signal)).etag;
  const name = h('input', { type: 'text', name: 'name', autocomplete: 'name', maxlength: 200, value: account.name, 'data-field': 'name' });
  const options = Object.entries(LANGUAGES).map(([id, own]) => h('option', { value: id, lang: id, selected: id === account.locale }, own));
  const locale = h('select', { name: 'locale', 'data-field': 'locale' }, ...options);
  const button = h('button', { type: 'submit', class: 'button main' }, t('save'));
  const status = h('p', { role: 'status' });
  const form = h('form', { class: 'form', novalidate: true }, h('label', {}, t('name'), name), h('label', {}, t('language'), locale, h('span', { class: 'hint' }, t('language-hint'))),
    h('div', { class: 'actions' }, button), status);
  sending(form, button, status, complain, async () => {
    const body = { locale: locale.value, ...(name.value.trim() && { name: name.value.trim() }) };
    const saved = await write('PATCH', 'account', { body, etag });
    etag = saved.etag;
    return t('saved');
  });
  const out = h('button', { type: 'button', class: 'button', click: () => void signOut().then(renew).catch(complain) }, t('sign-out'));
  host.append(h('section', { class: 'card narrow' }, h('h1', {}, t('account')), h('p', {}, h('bdi', { dir: 'ltr' }, account.email)), form, h('p', { class: 'hint' }, t('sign-out-hint')), h('div', { class: 'actions' }, out)));
}

export const show: Show = async (host, context) => {
  await loadOwnWords('sign-in');
  if (context.account) await own(host, context.account, context);
  else await entrance(host, context);
  return () => undefined;
};
