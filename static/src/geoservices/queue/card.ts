/** What an alert rests on, as a moderator sees it. */
import { h } from '../../dom';
import { words } from '../../words/words';
import { smallChart } from '../small-chart';
import type { Evidence, Picture } from './model';

export type Key = keyof typeof import('../words/queue/en.json');
export const t = words<Key>('queue');

function figure({ source, caption }: Picture): HTMLElement {
  const image = h('img', { src: source, alt: caption, width: 360, height: 360, decoding: 'async', error: () => image.replaceWith(h('p', { class: 'no-picture' }, t('no-picture'))) });
  return h('figure', {}, image, h('figcaption', {}, caption));
}

function table({ rows }: Evidence): HTMLElement {
  const head = h('tr', {}, ...(['day', 'value', 'nominal'] as const).map((key) => h('th', { scope: 'col' }, t(key))));
  const body = rows.map(({ day, value, nominal, outside }) =>
    h('tr', { class: outside ? 'out' : '' }, h('th', { scope: 'row' }, day), h('td', {}, h('bdi', {}, value), outside ? h('span', { class: 'visually-hidden' }, ` ${t('outside')}`) : null), h('td', {}, h('bdi', {}, nominal))));
  return h('div', { class: 'rows', role: 'region', 'aria-label': t('values'), tabindex: 0 }, h('table', {}, h('caption', { class: 'visually-hidden' }, t('values')), h('thead', {}, head), h('tbody', {}, ...body)));
}

export function evidenceCard(found: Evidence): HTMLElement[] {
  const pictures = [...found.pictures, ...(found.error ? [found.error] : [])];
  return [
    h('div', { class: 'sentences' }, ...found.sentences.map((each) => h('p', {}, each)), found.ratio ? h('p', { class: 'sub' }, found.ratio) : null,
      found.habit ? h('p', { class: 'habit' }, found.habit) : null),
    h('div', { class: 'evidence-pictures' }, ...pictures.map(figure)),
    h('div', { class: 'evidence-values' }, smallChart(found.dots, t('chart', { what: found.heading })), table(found)),
    h('p', {}, h('a', { href: `./${found.map}` }, t('open-map'))),
  ];
}

/** Fetches the pictures of an alert that comes next, so that they are there. */
export function preload({ pictures, error }: Evidence): void {
  for (const { source } of [...pictures, ...(error ? [error] : [])]) new Image().src = source;
}
