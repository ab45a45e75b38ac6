/** All geoservices that one may see: one's own first, then those that are public. */
import { objects, text } from '../../api';
import { h } from '../../dom';
import { read, readIfThere } from '../api';
import { parseBrief, textIn, type Brief } from '../model';
import { linkTo } from '../route';
import { has, type Context, type Show } from '../views';
import { t } from '../say';

/** Pages of the list that are fetched, of 100 each. */
const MOST_PAGES = 10;

async function fetchAll(signal: AbortSignal): Promise<{ all: Brief[]; more: boolean }> {
  const all: Brief[] = [];
  let after: string | null = null;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { body } = await read('geoservices', { after }, signal);
    all.push(...objects(body['geoservices']).map(parseBrief).filter((each) => each !== null));
    after = text(body['after']);
    if (!after) return { all, more: false };
  }
  return { all, more: true };
}

function row(one: Brief): HTMLElement {
  const alerts = one.openAlerts > 0 ? h('span', { class: 'tag', 'data-kind': 'alert' }, t('open-alerts', { count: one.openAlerts })) : h('span', { class: 'sub' }, t('no-alerts'));
  const queue = has('queue') && (one.role === 'owner' || one.role === 'moderator') && one.openAlerts > 0;
  return h('li', { class: 'card service' },
    h('h3', {}, h('a', { href: linkTo('geoservice', one.slug) }, h('bdi', {}, one.title))),
    h('p', { class: 'service-facts' },
      h('span', { class: 'tag', 'data-state': one.state }, t(`state-${one.state}`)),
      one.role ? h('span', { class: 'tag' }, t(`role-${one.role}`)) : null,
      h('span', { class: 'tag' }, t(one.isPublic ? 'public' : 'private')),
      alerts),
    queue ? h('p', {}, h('a', { href: linkTo('queue', one.slug) }, t('to-queue'))) : null,
    one.role === 'owner' || one.role === 'editor' ? h('p', {}, h('a', { href: linkTo('edit', one.slug) }, t('to-edit'))) : null);
}

/** What relays have told, and this reader may see. */
async function fetchRelayed(signal: AbortSignal): Promise<HTMLElement | null> {
  const found = await readIfThere('relays', {}, signal);
  const rows = objects(found?.body['relays']).flatMap((relay) => objects(relay['geoservices']).map((each) => {
    const name = text(relay['name']) ?? '';
    const slug = text(each['slug']) ?? '';
    return h('li', { class: 'card service' }, h('h3', {}, h('a', { href: linkTo('relayed', slug, { relay: name }) }, h('bdi', {}, textIn(each['title'], slug)))), h('p', { class: 'service-facts' }, h('span', { class: 'tag' }, name)));
  }));
  return rows.length === 0 ? null : h('section', { class: 'services' }, h('h2', {}, t('of-relays')), h('ul', {}, ...rows));
}

function section(title: string, rows: readonly Brief[]): HTMLElement | null {
  return rows.length === 0 ? null : h('section', { class: 'services' }, h('h2', {}, title), h('ul', {}, ...rows.map(row)));
}

function empty({ account }: Context): HTMLElement {
  const hint = account ? 'empty-signed-in' : has('sign-in') ? 'empty-sign-in' : 'empty';
  return h('div', { class: 'state' }, h('p', {}, t('none-yet')), h('p', { class: 'sub' }, t(hint)));
}

export const show: Show = async (host, context) => {
  context.entitle(t('geoservices'));
  const [{ all, more }, relayed] = await Promise.all([fetchAll(context.signal), fetchRelayed(context.signal)]);
  const own = all.filter(({ role }) => role !== null);
  const others = all.filter(({ role }) => role === null);
  host.append(
    h('h1', {}, t('geoservices')),
    h('p', { class: 'sub' }, t('what')),
    ...[section(t('yours'), own), section(t('of-others'), others), relayed, all.length === 0 && !relayed ? empty(context) : null, more ? h('p', { class: 'sub' }, t('more-than-shown', { count: all.length })) : null].filter((each) => each !== null),
  );
  return () => undefined;
};
