/** The page of geoservices: frame, sign-in state, and the view that the fragment names. */
import { ApiError } from '../api';
import { byId, h } from '../dom';
import { direction, language } from '../language';
import { languageMenu } from '../panels/frame';
import { isRenewed } from '../renewed';
import { t as say } from '../words/shell';
import { loadWords } from '../words/words';
import { fetchAccount, signOut, type Account } from './api';
import { keepBack, takeBack } from './back';
import { formatRoute, linkTo, parseRoute, type Name, type Route } from './route';
import { has, load, type Context } from './views';
import { loadOwnWords, t } from './say';

let account: Account | null = null;
let route: Route = parseRoute(location.hash);
let leave = (): void => undefined;
let visit = new AbortController();

function complain(error: unknown): void {
  const notice = byId('notice');
  console.warn(error);
  const words = error instanceof ApiError ? error.message : say('page-failed');
  const close = h('button', { type: 'button', class: 'text-button', click: () => (notice.hidden = true) }, say('dismiss'));
  notice.replaceChildren(h('p', {}, words), close);
  notice.hidden = false;
}

function showNav(): void {
  const link = (name: Name, words: string): HTMLElement =>
    h('a', { href: linkTo(name), 'aria-current': route.name === name ? 'page' : null }, words);
  byId('nav').replaceChildren(
    link('list', t('geoservices')),
    ...(has('queue') && account ? [link('queue', t('to-queue'))] : []),
    ...(has('new') && account ? [link('new', t('new'))] : []),
    ...(account?.compressions ? [link('compressions', t('compressions'))] : []),
    h('a', { href: './' }, t('map')),
  );
}

function showAccount(): void {
  const out = h('button', { type: 'button', class: 'text-button', click: () => void signOut().then(renew, complain) }, t('sign-out'));
  const enter = has('sign-in') ? [h('a', { class: 'text-button', href: linkTo('sign-in') }, t('sign-in'))] : [];
  byId('account').replaceChildren(...(account ? [h('a', { href: linkTo('sign-in') }, h('bdi', {}, account.name || account.email)), out] : enter));
}

function entitle(title: string): void {
  document.title = title ? `${title} · COMEO` : 'COMEO';
}

function keep(settings: Readonly<Record<string, string | null>>): void {
  const kept = new Map(route.settings);
  for (const [name, value] of Object.entries(settings)) {
    if (value === null) kept.delete(name);
    else kept.set(name, value);
  }
  route = { ...route, settings: kept };
  history.replaceState(null, '', formatRoute(route));
}

/** What stands in place of a view that cannot be shown. */
async function failed(error: unknown): Promise<HTMLElement> {
  const missing = error instanceof ApiError && error.status === 404;
  const told = error instanceof ApiError ? error.message : (await isRenewed()) ? t('renewed') : say('page-failed');
  const words = missing ? t('not-there') : told;
  const again = h('button', { type: 'button', class: 'button', click: () => void open() }, say('try-again'));
  const enter = missing && !account && has('sign-in') ? h('a', { class: 'button', href: linkTo('sign-in') }, t('sign-in')) : null;
  return h('div', { class: 'state', role: 'alert' }, h('h1', {}, t(missing ? 'not-found' : 'failed')), h('p', {}, words), missing ? enter : again,
    h('a', { href: linkTo('list') }, t('all')));
}

/** Opens the view that the fragment names; one that is opened later makes an earlier one stop. */
async function open(): Promise<void> {
  visit.abort();
  leave();
  leave = (): void => undefined;
  visit = new AbortController();
  const { signal } = visit;
  route = parseRoute(location.hash);
  if (!account && route.name !== 'sign-in') keepBack(location.hash, Date.now());
  showNav();
  showAccount();
  byId('notice').hidden = true;
  const content = byId('content');
  const host = h('div', { class: `view-${route.name}` });
  content.replaceChildren(h('p', { class: 'state', role: 'status' }, say('loading')));
  const context: Context = { route, account, signal, go: (link) => (location.hash = link), keep, entitle, complain, renew };
  try {
    const done = await (await load(route.name))(host, context);
    if (signal.aborted) return done();
    leave = done;
    content.replaceChildren(host);
  } catch (error) {
    if (signal.aborted) return;
    console.warn(error);
    entitle(t('failed'));
    content.replaceChildren(await failed(error));
  }
}

async function renew(): Promise<void> {
  account = await fetchAccount();
  const back = account && location.hash.length < 2 ? takeBack(Date.now()) : null;
  if (back) history.replaceState(null, '', back);
  await open();
}

/** Says what follow.html marks, where the link asks for another language than the browser. */
function translatePage(): void {
  document.documentElement.lang = language;
  document.documentElement.dir = direction;
  byId('skip').textContent = t('skip-content');
  byId('nav').ariaLabel = t('pages');
}

void load(route.name).catch(() => undefined); // its code comes while the server says who is signed in; `open` tells what fails
await Promise.all([loadWords('shell'), loadOwnWords('follow')]);
translatePage();
languageMenu(byId('language'));
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('content').focus();
});
addEventListener('hashchange', () => void open().then(() => byId('content').focus({ preventScroll: true })));
await renew().catch(async (error: unknown) => byId('content').replaceChildren(await failed(error)));
