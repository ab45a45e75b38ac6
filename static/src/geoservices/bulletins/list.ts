/** Bulletins of a geoservice: read, and, by those who have a role, brought from draft to visa. */
import { h } from '../../dom';
import { formatBytes } from '../../format';
import { language, LANGUAGES, locale, type Language } from '../../language';
import { fetchBulletins, type Bulletin } from '../dashboard/fetching';
import { t } from '../dashboard/words';
import type { Geoservice } from '../model';
import { linkTo } from '../route';
import type { Context } from '../views';
import { loadOwnWords, t as say } from '../say';
import { isAtWork, stepsOf } from './steps';

type File = Bulletin['files'][number];

const STATES = ['draft', 'submitted', 'approved', 'rejected', 'sent'] as const;

const languageName = (tag: string): string => (Object.hasOwn(LANGUAGES, tag) ? LANGUAGES[tag as Language] : tag);

/** Files in the reader's language first, otherwise as they came. */
export function ownFirst<Each extends { language: string }>(files: readonly Each[], reader: string): Each[] {
  const isOther = (each: Each): number => Number(each.language.split('-')[0] !== reader);
  return [...files].sort((a, b) => isOther(a) - isOther(b));
}

function fileLink({ address, kind, language: tag, bytes }: File): HTMLElement {
  // each part keeps its own direction: else a name in Arabic turns the number beside it
  const parts = [kind.toUpperCase(), languageName(tag), bytes === null ? '' : formatBytes(bytes)].filter(Boolean);
  const isDraft = bytes === null;
  return h('a', { href: address, ...(tag && { hreflang: tag }), ...(isDraft && { target: '_blank', rel: 'noopener' }) },
    ...parts.flatMap((part, index) => [index > 0 ? ' · ' : null, h('bdi', {}, part)]), isDraft ? ` ${t('new-tab')}` : null);
}

function bulletinRow({ number, period, state, files }: Bulletin, isWanted: boolean, visa: HTMLElement | null): HTMLElement {
  const known = STATES.find((each) => each === state);
  const month = new Date(`${period}-01T00:00:00Z`);
  return h('li', { class: 'bulletin', 'aria-current': isWanted ? 'true' : null },
    h('p', {}, h('bdi', { class: 'number' }, number), ' ', h('span', { class: 'tag' }, known ? t(`bulletin-${known}`) : state)),
    Number.isNaN(month.getTime()) ? null : h('p', { class: 'sub' }, month.toLocaleDateString(locale, { month: 'long', year: 'numeric', timeZone: 'UTC' })),
    h('p', { class: 'links' }, ...ownFirst(files, language).map(fileLink)), visa);
}

export class Bulletins {
  readonly element = h('section', { class: 'card', 'aria-labelledby': 'bulletins-title' });
  /** Id of the one that the link is about; 0 where it is about none. */
  readonly wanted: number;
  readonly #service: Geoservice;
  readonly #context: Context;
  readonly #told = h('p', { class: 'told', role: 'status', tabindex: -1, dir: 'auto' });
  readonly #rows = h('ul', { class: 'bulletins' });

  private constructor(service: Geoservice, context: Context) {
    this.#service = service;
    this.#context = context;
    this.wanted = Number(context.route.settings.get('bulletin') ?? 0) || 0;
    this.element.append(h('h2', { id: 'bulletins-title' }, t('bulletins')), this.#told, this.#rows);
  }

  /** Null where the server keeps none. */
  static async open(service: Geoservice, context: Context): Promise<Bulletins | null> {
    const made = new Bulletins(service, context);
    return (await made.#fill()) ? made : null;
  }

  async #fill(): Promise<boolean> {
    const { role, slug, locales } = this.#service;
    const { signal, complain } = this.#context;
    const steps = isAtWork(role) ? Promise.all([import('./visa'), loadOwnWords('visa')]) : null;
    const [found, part] = await Promise.all([fetchBulletins(slug, locales, signal), steps?.then(([loaded]) => loaded) ?? null]);
    if (!found) return false;
    const events = { signal, complain, renew: (told: string) => this.#renew(told) };
    const rows = [...found].sort((a, b) => Number(b.id === this.wanted) - Number(a.id === this.wanted)).map((each) => {
      const steps = stepsOf(each, found, role);
      return bulletinRow(each, each.id === this.wanted, part && steps.length > 0 ? new part.Visa(each, steps, events).element : null);
    });
    const isMissing = this.wanted > 0 && found.every(({ id }) => id !== this.wanted);
    this.#rows.replaceChildren(...(isMissing ? [this.#missing()] : []), ...rows);
    if (this.#rows.childElementCount === 0) this.#rows.append(h('li', { class: 'sub' }, t('no-bulletins')));
    return true;
  }

  async #renew(told: string): Promise<void> {
    await this.#fill();
    this.#told.textContent = told;
    this.#told.focus();
  }

  #missing(): HTMLElement {
    return h('li', { class: 'note' }, t('bulletin-missing'), ' ', this.#context.account ? null : h('a', { href: linkTo('sign-in') }, say('sign-in')));
  }
}
