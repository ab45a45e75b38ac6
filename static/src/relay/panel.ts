/** The relay behind this server: what is here, what is coming and when, what it costs. Comes where there is one. */
import { ApiError } from '../api';
import { h } from '../dom';
import { formatBytes } from '../format';
import { locale } from '../language';
import { addSheet } from '../sheets';
import { words } from '../words/words';
import { fetchState, HERE, totalOf, type Origin, type Quota, type RelayState } from './state';
import css from './relay.css';

type Key = keyof typeof import('../words/relay/en.json');
const t = words<Key>('relay');

addSheet(css);

/** Milliseconds between two looks, while the panel is open and while it is not. */
const SOON = 60_000;
const SELDOM = 300_000;
const MOST_PIECES = 6;
const MOST_FAULTS = 5;

const when = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const time = (date: Date): string => when.format(date);

/** What the runner does, in a sentence. */
function doingOf({ doing, until }: RelayState): string {
  return until && (doing === 'closed' || doing === 'quota') ? t(`${doing}-until`, { time: time(until) }) : t(doing);
}

function lineOf({ name, up, since, fault }: Origin): HTMLElement {
  const named = { name: name || t('origin') };
  if (up === null || !since) return h('p', {}, t('not-tried', named));
  const words = t(up ? 'up' : 'out', { ...named, time: time(since) });
  return h('p', { class: up ? null : 'wrong' }, fault ? `${words} ${t(fault)}` : words);
}

function quota(label: string, { spent, most }: Quota): HTMLElement[] {
  const share = most === null || most === 0 ? 0 : Math.min(1, spent / most);
  const said = most === null ? formatBytes(spent) : t('of', { spent: formatBytes(spent), most: formatBytes(most) });
  const track = h('div', { class: 'relay-track', 'aria-hidden': 'true', 'data-full': String(share >= 1) }, h('i', { style: `width: ${(100 * share).toFixed(1)}%` }));
  return [h('dt', {}, label), h('dd', {}, said), ...(most === null ? [] : [track])];
}

function here(state: RelayState): HTMLElement[] {
  const rows = HERE.filter((name) => state.scenes[name] > 0).flatMap((name) => [h('dt', {}, t(`here-${name}`)), h('dd', {}, state.scenes[name].toLocaleString(locale))]);
  return [h('h2', {}, t('here')), h('dl', {}, ...rows, h('dt', {}, t('bytes-here')), h('dd', {}, formatBytes(state.here)), h('dt', {}, t('disk-free')), h('dd', {}, formatBytes(state.free)))];
}

function coming(state: RelayState): HTMLElement[] {
  const rows = state.coming.slice(0, MOST_PIECES).map(({ id, layer, ends, bytes }) =>
    h('li', {}, h('bdi', {}, id), h('span', {}, t('piece', { layer: t(`layer-${layer}`), time: time(ends), size: formatBytes(bytes) }))));
  const { pieces, bytes, ends, more } = state.foretold;
  const rest = pieces > rows.length && ends ? t(more ? 'all-more' : 'all', { count: pieces, size: formatBytes(bytes), time: time(ends) }) : '';
  const none = rows.length > 0 ? null : h('p', {}, t(totalOf(state) > 0 && state.scenes.waiting === 0 ? 'nothing-coming' : 'nothing-foretold'));
  const looked = state.wanted && state.wanted.places > 0 ? h('p', {}, t('wanted', { count: state.wanted.places, size: formatBytes(state.wanted.bytes) })) : null;
  return [h('h2', {}, t('coming')), ...[looked, none, rows.length > 0 ? h('ol', {}, ...rows) : null, rest ? h('p', { class: 'hint' }, rest) : null].filter((each) => each !== null)];
}

function costs({ today, month, wanted, foretold, currency }: RelayState): HTMLElement[] {
  const price = foretold.price > 0 ? t('price', { price: foretold.price.toLocaleString(locale, { maximumSignificantDigits: 3 }), currency }) : '';
  const onDemand = wanted ? quota(t('on-demand'), wanted.today) : [];
  return [h('h2', {}, t('costs')), h('dl', {}, ...quota(t('today'), today), ...onDemand, ...quota(t('month'), month)), ...(price ? [h('p', { class: 'hint' }, price)] : [])];
}

function faults({ faults: told, faulty }: RelayState): HTMLElement[] {
  if (told.length === 0) return [];
  const rows = told.slice(0, MOST_FAULTS).map(({ id, problem }) => h('li', {}, h('bdi', {}, id), h('span', { lang: 'en', dir: 'ltr' }, problem)));
  return [h('h2', {}, t('faults', { count: faulty })), h('ul', {}, ...rows)];
}

/** Whether somebody should look: the line is down, or nothing can come. */
const isWrong = ({ doing, origins }: RelayState): boolean => doing === 'stopped' || doing === 'disk' || doing === 'down' || origins.some(({ up, fault }) => up === false && fault !== null);

export function relayPanel(corner: HTMLElement): void {
  const summary = h('summary', {}, t('relay'));
  const body = h('div', { class: 'relay-body', tabindex: '0', role: 'region', 'aria-label': t('relay') });
  const root = h('details', { id: 'relay' }, summary, body);
  let last: number | null = null;
  const show = (state: RelayState): void => {
    root.dataset['wrong'] = String(isWrong(state));
    summary.textContent = t('summary', { some: state.scenes.complete + state.scenes.area, count: totalOf(state) });
    body.replaceChildren(h('p', { role: 'status' }, doingOf(state)), ...state.origins.map(lineOf), ...here(state), ...coming(state), ...costs(state), ...faults(state));
  };
  const fail = (error: unknown): void => {
    root.dataset['wrong'] = 'true';
    body.replaceChildren(h('p', { role: 'status', class: 'wrong' }, error instanceof ApiError ? error.message : t('unknown')));
  };
  /** Looks, unless it was done a moment ago. */
  const look = async (age: number): Promise<void> => {
    if (document.hidden || (last !== null && Date.now() - last < age)) return;
    last = Date.now();
    await fetchState().then(show, fail);
  };
  root.addEventListener('toggle', () => void (root.open && look(SOON / 2)));
  setInterval(() => void look(root.open ? SOON : SELDOM), SOON / 2);
  corner.append(root);
  void look(0);
}
