/** What has been said of a geoservice: alerts, maps of periods. */
import { h } from '../../dom';
import { formatDay } from '../../format';
import { formatLink } from '../../link';
import type { Alert, Site } from './fetching';
import { t } from './words';

/** Alerts that are listed before one asks for the others. */
const FIRST = 4;

const STATES = ['verifying', 'candidate', 'confirmed', 'notified', 'closed', 'dismissed', 'expired', 'withdrawn'] as const;
const stateWords = (state: string): string => {
  const known = STATES.find((each) => each === state);
  return known ? t(`alert-${known}`) : state;
};

function alertRow(alert: Alert, sites: readonly Site[], titleOf: (indicator: string) => string, choose: (alert: Alert) => void): HTMLElement {
  const [what = '', ...rest] = alert.sentences;
  const name = sites.find(({ id }) => id === alert.site)?.name;
  const days = `${formatDay(alert.from)} – ${formatDay(alert.until)}`;
  return h('li', { class: 'alert' },
    h('p', { class: 'alert-head' },
      h('span', { class: 'tag', 'data-kind': alert.isOpen ? 'alert' : null }, stateWords(alert.state)),
      h('span', { class: 'severity', 'data-severity': alert.severity }, t('severity', { severity: alert.severity })),
      h('span', { class: 'sub' }, days)),
    h('p', {}, what),
    h('p', { class: 'sub' }, rest.join(' ')),
    name === undefined ? null : h('button', { type: 'button', class: 'text-button', 'aria-label': t('show-alert', { site: name, indicator: titleOf(alert.indicator), days }), click: () => choose(alert) }, t('show-chart')));
}

/** Open ones first, the newest first. */
export function alertList(alerts: readonly Alert[], sites: readonly Site[], titleOf: (indicator: string) => string, choose: (alert: Alert) => void): HTMLElement {
  const sorted = [...alerts].sort((a, b) => Number(b.isOpen) - Number(a.isOpen) || b.until.getTime() - a.until.getTime());
  const rows = sorted.map((alert) => alertRow(alert, sites, titleOf, choose));
  const list = h('ul', { class: 'alerts' }, ...rows.slice(0, FIRST));
  const more = h('button', { type: 'button', class: 'button', click: () => { list.append(...rows.slice(FIRST)); more.remove(); } }, t('more-alerts', { count: rows.length - FIRST }));
  const open = alerts.filter(({ isOpen }) => isOpen).length;
  return h('section', { class: 'card', 'aria-labelledby': 'alerts-title' },
    h('h2', { id: 'alerts-title' }, t('alerts'), h('span', { class: 'count' }, t('open-of', { open, all: alerts.length }))),
    rows.length === 0 ? h('p', { class: 'sub' }, t('no-alerts')) : list, rows.length > FIRST ? more : null);
}

export function mapsLink(collection: string): HTMLElement {
  const link = formatLink({ camera: null, layer: { collection, until: null }, style: null, opacity: 1, projection: 'mercator', extras: new Map() });
  return h('section', { class: 'card', 'aria-labelledby': 'maps-title' }, h('h2', { id: 'maps-title' }, t('maps')), h('p', { class: 'sub' }, t('maps-hint')),
    h('p', {}, h('a', { href: `./${link}` }, t('maps-open'))));
}
