/** Drawing up a geoservice: where, what, when, who; what it would have said; then a draft, or at once. */
import { ApiError, fetchCollections, isObject, objects, text, type Json } from '../../api';
import { h } from '../../dom';
import { language, LANGUAGES } from '../../language';
import { isoDay } from '../../format';
import { addSheet } from '../../sheets';
import { pathOf, write } from '../api';
import { dropDraft, keepDraft, keptDraft, type Draft } from '../editor/draft';
import css from '../editor/editor.css';
import { labelled, selectField, textField } from '../editor/fields';
import { Indicators, type Watched } from '../editor/indicators';
import { People, type Told } from '../editor/people';
import { Places } from '../editor/places';
import { Policy } from '../editor/policy';
import { Preview, type Wanted } from '../editor/preview';
import { t } from '../editor/words';
import { clearFaults, faultsOf, showFaults, type Fault } from '../faults';
import form from '../form.css';
import { ownNames, slugOf } from '../names';
import { linkTo } from '../route';
import { has, type Context, type Show } from '../views';
import { loadOwnWords } from '../say';

addSheet(form);
addSheet(css);

const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

class Editor {
  readonly #context: Context;
  readonly #form = h('form', { class: 'editor', novalidate: true, input: () => this.#keep(), submit: (event: Event) => event.preventDefault() });
  readonly #title = textField('title', { maxlength: 200, dir: 'auto' });
  readonly #slug = textField('slug', { maxlength: 64, dir: 'ltr', spellcheck: 'false' });
  readonly #start = textField('start', { type: 'date', value: isoDay(new Date()) });
  readonly #end = textField('end', { type: 'date' });
  readonly #zone = textField('timezone', { value: zone(), dir: 'ltr', list: 'zones' });
  readonly #visibility = selectField('visibility', [['private', t('private')], ['public', t('public')]]);
  readonly #collection: HTMLSelectElement;
  readonly #locales = new Map<string, HTMLInputElement>();
  readonly #fault = h('p', { class: 'fault', role: 'alert' });
  readonly #places: Places;
  readonly #indicators: Indicators;
  readonly #people: People;
  readonly #policy: Policy;
  /** Until it is all there, nothing is kept: it would be less than what was. */
  #ready = false;

  constructor(host: HTMLElement, context: Context, collections: readonly (readonly [string, string])[], private readonly draft: Draft | null) {
    this.#context = context;
    const keep = (): void => this.#keep();
    const body = draft?.body ?? {};
    this.#collection = selectField('collections', collections, first(body['collections']) ?? collections[0]?.[0]);
    this.#places = new Places(keep, context.signal, context.complain);
    this.#indicators = new Indicators(keep);
    this.#people = new People(keep);
    this.#policy = new Policy(body['alerts']);
    this.#fill(body);
    this.#title.addEventListener('input', () => { if (!this.#slug.dataset['own']) this.#slug.value = slugOf(this.#title.value); });
    this.#slug.addEventListener('input', () => (this.#slug.dataset['own'] = 'yes'));
    this.#collection.addEventListener('change', () => void this.#choose());
    this.#lay(host);
  }

  #lay(host: HTMLElement): void {
    const { signal } = this.#context;
    const zones = h('datalist', { id: 'zones' }, ...Intl.supportedValuesOf('timeZone').map((each) => h('option', { value: each })));
    const card = (title: string, ...inside: HTMLElement[]): HTMLElement => h('section', { class: 'card form' }, h('h2', {}, title), ...inside);
    const languages = h('fieldset', { 'data-field': 'locales' }, h('legend', {}, t('locales')), h('div', { class: 'checks' }, ...[...this.#locales].map(([id, box]) =>
      h('label', { class: 'check' }, box, h('span', { lang: id }, LANGUAGES[id as keyof typeof LANGUAGES])))));
    const preview = new Preview(() => this.#wanted(), (error) => this.#failed(error), signal);
    const save = (activate: boolean): ((event: Event) => void) => (event) => void this.#save(event.currentTarget as HTMLButtonElement, activate);
    this.#form.append(
      card(t('where'), labelled(t('collection'), this.#collection), this.#places.element),
      card(t('what'), labelled(t('title'), this.#title), this.#indicators.element),
      card(t('when'), h('div', { class: 'pair' }, labelled(t('start'), this.#start, t('start-hint')), labelled(t('end'), this.#end, t('end-hint'))), this.#policy.element),
      card(t('who'), this.#people.element, labelled(t('visibility'), this.#visibility, t('visibility-hint')),
        h('details', {}, h('summary', {}, t('more')), h('div', { class: 'form' }, labelled(t('slug'), this.#slug, t('slug-hint')), labelled(t('timezone'), this.#zone), zones, languages))),
      preview.element,
      h('section', { class: 'card form' }, this.#fault, h('div', { class: 'actions' },
        h('button', { type: 'button', class: 'button main', click: save(true) }, t('save-activate')),
        h('button', { type: 'button', class: 'button', click: save(false) }, t('save-draft')),
        h('button', { type: 'button', class: 'text-button', click: () => void this.#forget() }, t('begin-anew'))), h('p', { class: 'hint' }, t('save-hint'))));
    host.append(h('h1', {}, t('new')), h('p', { class: 'sub' }, t('new-hint')), this.#form);
  }

  /** What comes later: the map, and the indicators of the collection. */
  async open(): Promise<void> {
    this.#places.open(this.#collection.value);
    const wanted = objects(this.draft?.body['indicators']).map((each): Watched => ({ indicator: text(each['indicator']) ?? '', nominal: isObject(each['nominal']) ? each['nominal'] : {} }));
    await this.#indicators.offer(this.#collection.value, wanted, this.#context.signal);
    this.#ready = true;
  }

  #fill(body: Json): void {
    const titles = isObject(body['title']) ? body['title'] : {};
    this.#title.value = text(titles[language]) ?? '';
    this.#slug.value = text(body['slug']) ?? '';
    if (this.#slug.value && this.#slug.value !== slugOf(this.#title.value)) this.#slug.dataset['own'] = 'yes';
    for (const [field, name] of [[this.#start, 'start'], [this.#end, 'end'], [this.#zone, 'timezone'], [this.#visibility, 'visibility']] as const) field.value = text(body[name]) ?? field.value;
    const locales = Array.isArray(body['locales']) ? body['locales'] : [language];
    for (const id of Object.keys(LANGUAGES)) this.#locales.set(id, h('input', { type: 'checkbox', value: id, checked: locales.includes(id) }));
    this.#places.sites = this.draft?.sites ?? [];
    const people = objects(body['recipients']).map((each): Told => ({ email: text(each['email']) ?? '', locale: text(each['locale']) ?? language, min_severity: Number(each['min_severity'] ?? 1) }));
    this.#people.value = people.length > 0 || this.draft ? people : [{ email: this.#context.account?.email ?? '', locale: this.#context.account?.locale ?? language, min_severity: 1 }];
  }

  async #choose(): Promise<void> {
    this.#places.show(this.#collection.value);
    await this.#indicators.offer(this.#collection.value, this.#indicators.value, this.#context.signal).catch(this.#context.complain);
  }

  /** The document, without its sites. */
  get #body(): Json {
    const title = this.#title.value.trim();
    const locales = [...this.#locales].filter(([, { checked }]) => checked).map(([id]) => id);
    return {
      slug: this.#slug.value.trim(), title: title ? { [language]: title } : {}, collections: this.#collection.value ? [this.#collection.value] : [],
      indicators: this.#indicators.value, start: this.#start.value, ...(this.#end.value && { end: this.#end.value }), timezone: this.#zone.value.trim(),
      locales, alerts: this.#policy.value, recipients: this.#people.value, visibility: this.#visibility.value,
    };
  }

  #keep(): void {
    if (this.#ready) keepDraft({ body: this.#body, sites: [...this.#places.sites] });
  }

  #features(): Json {
    const features = this.#places.sites.map(({ name, geometry }) => ({ type: 'Feature', properties: { name: name.trim() || t('site') }, geometry }));
    return { type: 'FeatureCollection', features };
  }

  /** What the form itself can tell to be missing, before the server is asked. */
  #missing(): Fault[] {
    const { chosen } = { chosen: this.#places.chosen };
    const none = 'sites' in chosen ? chosen.sites.length === 0 : chosen.own.length === 0;
    return none ? [{ field: 'sites', sentence: t('no-site') }] : [];
  }

  #wanted(): Wanted[] {
    clearFaults(this.#form);
    const missing = this.#missing();
    if (missing.length > 0) throw new FormError(missing);
    const { chosen } = this.#places;
    const base = { ...this.#body, ...(!this.#slug.value && { slug: 'preview' }), ...(!this.#title.value.trim() && { title: { [language]: t('new') } }) };
    const path = 'geoservices/preview';
    if ('sites' in chosen) return [{ path, body: { ...base, sites: this.#features() } }];
    return chosen.own.map((site) => ({ path, body: { ...base, site } }));
  }

  /** Shows what is wrong beside its field; what has none is answered. */
  #failed(error: unknown): string {
    const faults = error instanceof FormError ? error.faults : ownNames(faultsOf(error));
    if (faults.length === 0) {
      this.#context.complain(error);
      return '';
    }
    const left = showFaults(this.#form, faults);
    return left.length > 0 ? left.map(({ sentence }) => sentence).join(' ') : t('look-above');
  }

  /** The site that is followed: one that one has, or a new group of those. */
  async #site(): Promise<Json> {
    const { chosen } = this.#places;
    if ('sites' in chosen) return { sites: this.#features() };
    if (chosen.own.length === 1) return { site: chosen.own[0] };
    const { body } = await write('POST', 'sites', { body: { name: { [language]: this.#title.value.trim() || t('new') }, members: chosen.own } });
    return { site: body['id'] };
  }

  async #save(button: HTMLButtonElement, activate: boolean): Promise<void> {
    this.#fault.textContent = '';
    clearFaults(this.#form);
    button.disabled = true;
    try {
      const missing = [...this.#missing(), ...(this.#title.value.trim() ? [] : [{ field: 'title', sentence: t('no-title') }])];
      if (missing.length > 0) throw new FormError(missing);
      const { body } = await write('POST', 'geoservices', { body: { ...this.#body, ...(await this.#site()) } });
      dropDraft();
      await this.#made(text(body['slug']) ?? this.#slug.value, activate);
    } catch (error) {
      const taken = error instanceof ApiError && error.status === 409;
      this.#fault.textContent = this.#failed(taken ? new FormError([{ field: 'slug', sentence: error.message }]) : error);
    } finally {
      button.disabled = false;
    }
  }

  /** It is there, as a draft at least: what goes wrong from here on is told on its own page. */
  async #made(slug: string, activate: boolean): Promise<void> {
    this.#ready = false;
    if (!activate) return this.#context.go(linkTo('edit', slug));
    try {
      await write('POST', pathOf(slug, 'activate'));
    } catch (error) {
      return this.#context.go(linkTo('edit', slug, { problem: error instanceof ApiError ? error.message.slice(0, 200) : t('not-active') }));
    }
    this.#context.go(linkTo(has('geoservice') ? 'geoservice' : 'edit', slug));
  }

  async #forget(): Promise<void> {
    this.#ready = false;
    dropDraft();
    await this.#context.renew();
  }
}

class FormError extends Error {
  constructor(readonly faults: readonly Fault[]) {
    super('The form is not complete.');
  }
}

const first = (value: unknown): string | undefined => (Array.isArray(value) ? (text(value[0]) ?? undefined) : undefined);

export const show: Show = async (host, context) => {
  await loadOwnWords('editor');
  context.entitle(t('new'));
  if (!context.account) {
    host.append(h('div', { class: 'state' }, h('h1', {}, t('new')), h('p', {}, t('sign-in-first')), h('a', { class: 'button main', href: linkTo('sign-in') }, t('sign-in'))));
    return () => undefined;
  }
  const collections = (await fetchCollections()).map(({ id, title }) => [id, title] as const);
  const editor = new Editor(host, context, collections, keptDraft());
  void editor.open().catch((error: unknown) => { if (!context.signal.aborted) context.complain(error); });
  return () => undefined;
};
