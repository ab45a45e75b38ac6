/** A calendar month whose days are marked by how cloudy their scenes are. */
import { h, icon } from '../../dom';
import { formatDay } from '../../format';
import { locale } from '../../language';
import { monthOf, type Day } from './month';
import type { Found } from './scenes';
import { t } from './words';

/** Up to so much cloud a day is marked clear, or partly. */
const CLEAR = 10;
const PARTLY = 40;

const markOf = ({ cloud }: Found): string => (cloud === null ? 'unknown' : cloud <= CLEAR ? 'clear' : cloud <= PARTLY ? 'partly' : 'cloudy');

export const cloudWords = ({ cloud }: Found): string => (cloud === null ? t('cloud-unknown') : t('cloud-here', { percent: Math.round(cloud) }));

/** The day that weeks begin with where the user lives: 1 is Monday, 7 Sunday. */
function firstDayOfWeek(): number {
  const own = new Intl.Locale(locale) as Intl.Locale & { getWeekInfo?: () => { firstDay: number }; weekInfo?: { firstDay: number } };
  return (own.getWeekInfo?.() ?? own.weekInfo)?.firstDay ?? 1;
}

export class Calendar {
  readonly element: HTMLElement;
  readonly #title = h('h3', { 'aria-live': 'polite' });
  readonly #grid = h('div', { class: 'search-days' });
  readonly #choose: (scene: Found) => void;
  readonly #firstDay = firstDayOfWeek();
  #scenes: readonly Found[] = [];
  #month = new Date(Date.UTC(2020, 0, 1));
  #current: string | null = null;

  constructor(choose: (scene: Found) => void) {
    this.#choose = choose;
    const step = (label: string, path: string, by: 1 | -1): HTMLElement =>
      h('button', { type: 'button', class: 'round', 'aria-label': label, click: () => this.#step(by) }, icon(path));
    const row = h('div', { class: 'search-month' }, step(t('earlier-month'), 'M12 4l-6 6 6 6', -1), this.#title, step(t('later-month'), 'M8 4l6 6-6 6', 1));
    const marks = (['clear', 'partly', 'cloudy', 'unknown'] as const).map((mark) => h('li', {}, h('i', { 'data-mark': mark, 'aria-hidden': 'true' }), t(`mark-${mark}`)));
    this.element = h('div', { class: 'search-calendar', hidden: true }, row, this.#grid, h('ul', { class: 'search-marks' }, ...marks));
  }

  /** Shows scenes; the month is that of the scene on the map, else of the newest. */
  show(scenes: readonly Found[], current: string | null): void {
    this.#scenes = scenes.filter(({ item }) => item.dated);
    this.#current = current;
    const shown = this.#scenes.find(({ item }) => item.key === current) ?? this.#scenes[0];
    this.element.hidden = !shown;
    if (shown) this.#month = new Date(Date.UTC(shown.item.datetime.getUTCFullYear(), shown.item.datetime.getUTCMonth(), 1));
    this.#draw();
  }

  /** To the next month that has a scene; months without one are passed over. */
  #step(by: 1 | -1): void {
    const months = [...new Set(this.#scenes.map(({ item: { datetime } }) => Date.UTC(datetime.getUTCFullYear(), datetime.getUTCMonth(), 1)))].sort((a, b) => a - b);
    const now = this.#month.getTime();
    const next = by > 0 ? months.find((month) => month > now) : months.filter((month) => month < now).pop();
    if (next === undefined) return;
    this.#month = new Date(next);
    this.#draw();
  }

  #draw(): void {
    const month = new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric', timeZone: 'UTC' });
    const name = new Intl.DateTimeFormat(locale, { weekday: 'narrow', timeZone: 'UTC' });
    this.#title.textContent = month.format(this.#month);
    const names = Array.from({ length: 7 }, (_, day) => h('span', { 'aria-hidden': 'true', class: 'search-weekday' }, name.format(Date.UTC(2024, 0, this.#firstDay + day))));
    const weeks = monthOf(this.#scenes, this.#month.getUTCFullYear(), this.#month.getUTCMonth(), this.#firstDay);
    this.#grid.replaceChildren(...names, ...weeks.flat().map((day) => this.#day(day)));
  }

  #day(day: Day | null): HTMLElement {
    if (!day?.scene) return h('span', {}, day ? String(day.number) : '');
    const { scene } = day;
    const label = `${formatDay(scene.item.datetime)}, ${cloudWords(scene)}`;
    const pressed = String(scene.item.key === this.#current);
    return h('button', { type: 'button', title: label, 'aria-label': label, 'aria-pressed': pressed, 'data-mark': markOf(scene), click: () => this.#choose(scene) }, String(day.number));
  }
}
