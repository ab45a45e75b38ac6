/** What a relay has told of a geoservice that runs there: sites with their last value, alerts, bulletins. */
import { isObject, number, objects, text, url, type Json } from '../../api';
import { h } from '../../dom';
import { formatDay } from '../../format';
import { addSheet } from '../../sheets';
import { words } from '../../words/words';
import { read } from '../api';
import css from '../dashboard/dashboard.css';
import { parseIndicator, textIn } from '../model';
import { loadOwnWords } from '../say';
import type { Show } from '../views';

type Key = keyof typeof import('../words/relayed/en.json');
const t = words<Key>('relayed');

addSheet(css);

/** The newest of each site and indicator: `1/ndvi`. */
function newest(observations: readonly Json[]): Map<string, Json> {
  const found = new Map<string, Json>();
  for (const each of observations) {
    const key = `${String(each['site'])}/${String(each['indicator'])}`;
    const known = found.get(key);
    if (!known || String(known['datetime']) < String(each['datetime'])) found.set(key, each);
  }
  return found;
}

const day = (value: unknown): string => formatDay(new Date(String(value)));

function valueOf(one: Json | undefined): string {
  const value = one && number(one['value']);
  if (!one || value === null || value === undefined) return t('never');
  const u = number(one['u']);
  return value.toFixed(3) + (u === null ? '' : ` ± ${(2 * u).toFixed(3)}`);
}

function table(rows: readonly HTMLElement[]): HTMLElement {
  const heads = (['site', 'indicator', 'value', 'day'] as const).map((key) => h('th', { scope: 'col' }, t(key)));
  return h('div', { class: 'values' }, h('div', { tabindex: 0, role: 'region', 'aria-label': t('sites') }, h('table', {}, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...rows))));
}

function section(title: Key, none: Key, rows: readonly HTMLElement[]): HTMLElement {
  return h('section', { class: 'card' }, h('h2', {}, t(title)), rows.length === 0 ? h('p', { class: 'sub' }, t(none)) : h('ul', { class: 'alerts' }, ...rows));
}

export const show: Show = async (host, { route, entitle, signal }) => {
  await loadOwnWords('relayed');
  const relay = route.settings.get('relay') ?? '';
  const path = `relays/${encodeURIComponent(relay)}/geoservices/${encodeURIComponent(route.slug)}`;
  const { body } = await read(path, {}, signal);
  const title = textIn(body['title'], route.slug);
  entitle(title);
  const sites = objects(isObject(body['sites']) ? body['sites']['features'] : []).map((each) => ({
    id: String(each['id']), name: textIn(isObject(each['properties']) ? each['properties']['name'] : null, String(each['id'])),
  }));
  const indicators = objects(body['indicators']).map(parseIndicator).filter((each) => each !== null);
  const last = newest(objects(body['observations']));
  const rows = sites.flatMap((site) => indicators.map(({ id, title: what }) => {
    const one = last.get(`${site.id}/${id}`);
    return h('tr', {}, h('th', { scope: 'row' }, h('bdi', {}, site.name)), h('td', {}, what), h('td', {}, h('bdi', { dir: 'ltr' }, valueOf(one))), h('td', {}, one ? day(one['datetime']) : ''));
  }));
  const alerts = objects(body['alerts']).filter((each) => each['state'] !== 'withdrawn').reverse().map((each) => {
    const facts = {
      what: indicators.find(({ id }) => id === each['indicator'])?.title ?? String(each['indicator']),
      site: sites.find(({ id }) => id === String(each['site']))?.name ?? title, from: day(each['first']),
    };
    const isOpen = each['closed'] === null;
    return h('li', { class: 'alert' },
      h('p', { class: 'alert-head' }, h('span', { class: 'tag', 'data-kind': isOpen ? 'alert' : null }, t(isOpen ? 'open' : 'closed')), h('span', { class: 'sub' }, t('severity', { number: number(each['severity']) ?? 1 }))),
      h('p', {}, t(each['kind'] === 'high' ? 'high' : 'low', facts)));
  });
  const printed = Array.isArray(body['bulletins']) ? body['bulletins'].map(text).filter((each) => each !== null) : [];
  const bulletins = printed.map((each) => h('li', {}, h('a', { href: url(`${path}/bulletins/${each}`).href }, h('bdi', { dir: 'ltr' }, each))));
  host.append(h('div', { class: 'view-geoservice' },
    h('div', { class: 'head' }, h('h1', {}, h('bdi', {}, title)), h('p', { class: 'sub' }, `${t('from', { name: relay })} · ${t('heard', { day: day(body['at']) })}`), h('p', { class: 'sub' }, t('what'))),
    h('section', { class: 'card' }, h('h2', {}, t('sites')), table(rows)), section('alerts', 'no-alerts', alerts), section('bulletins', 'no-bulletins', bulletins)));
  return () => undefined;
};
