/** A geoservice that is there: title, rules, recipients, who sees it; preview; activate, pause, archive, delete. */
import { isObject, number, objects, text, type Json } from '../../api';
import { h } from '../../dom';
import { language, LANGUAGES } from '../../language';
import { addSheet } from '../../sheets';
import { pathOf, read, write } from '../api';
import css from '../editor/editor.css';
import { labelled, languageField, removeButton, selectField, severityField, textField } from '../editor/fields';
import { Policy } from '../editor/policy';
import { Preview } from '../editor/preview';
import { t, type Key } from '../editor/words';
import { clearFaults, faultsOf, showFaults } from '../faults';
import form from '../form.css';
import { parseGeoservice, textIn, type State } from '../model';
import { linkTo } from '../route';
import { has, type Context, type Show } from '../views';
import { loadOwnWords } from '../say';

addSheet(form);
addSheet(css);

type Step = 'activate' | 'pause' | 'archive';
const STEPS: Readonly<Record<State, readonly Step[]>> = { draft: ['activate', 'archive'], active: ['pause', 'archive'], paused: ['activate', 'archive'], archived: [] };

class Edit {
  readonly #host: HTMLElement;
  readonly #context: Context;
  readonly #path: string;
  readonly #status = h('p', { role: 'status', class: 'done' });
  #body: Json;
  #etag: string | null;

  constructor(host: HTMLElement, context: Context, body: Json, etag: string | null) {
    this.#host = host;
    this.#context = context;
    this.#path = pathOf(context.route.slug);
    this.#body = body;
    this.#etag = etag;
    this.#draw();
  }

  #draw(): void {
    const { slug, settings } = this.#context.route;
    const one = parseGeoservice(this.#body);
    if (!one) throw new Error('The server tells no geoservice.');
    this.#context.entitle(one.title);
    const problem = settings.get('problem');
    const changes = one.role === 'owner' || one.role === 'editor';
    const view = has('geoservice') ? h('a', { href: linkTo('geoservice', slug) }, t('to-dashboard')) : null;
    this.#host.replaceChildren(
      h('h1', { dir: 'auto' }, one.title),
      h('p', { class: 'service-facts' }, h('span', { class: 'tag', 'data-state': one.state }, t(`state-${one.state}`)), h('bdi', { class: 'sub' }, slug), view),
      ...(problem ? [h('p', { class: 'fault', role: 'alert' }, problem)] : []), this.#status,
      ...(changes ? [this.#steps(one.state), ...(one.state === 'archived' ? [] : [this.#rules()]), this.#recipients(), this.#preview()] : [h('p', {}, t('no-editor'))]));
  }

  /** Does something that changes the geoservice, and shows it anew; what goes wrong is told above. */
  async #do(work: () => Promise<unknown>, done: string): Promise<void> {
    try {
      await work();
    } catch (error) {
      return this.#context.complain(error);
    }
    this.#context.keep({ problem: null });
    const found = await read(this.#path, {}, this.#context.signal);
    [this.#body, this.#etag] = [found.body, found.etag];
    this.#draw();
    this.#status.textContent = done;
  }

  #steps(state: State): HTMLElement {
    const row = h('div', { class: 'actions' });
    const act = (step: Step): (() => void) => () => void this.#do(() => write('POST', `${this.#path}/${step}`), t(`done-${step}`));
    /** What cannot be taken back is asked for twice. */
    const ask = (key: 'archive' | 'delete', work: () => void): void => {
      const sure = h('button', { type: 'button', class: 'button danger', click: work }, t(`${key}-sure`));
      row.replaceChildren(h('p', {}, t(`${key}-question`)), sure, h('button', { type: 'button', class: 'button', click: () => this.#draw() }, t('back')));
      sure.focus();
    };
    for (const step of STEPS[state]) {
      const final = step === 'archive';
      row.append(h('button', { type: 'button', class: step === 'activate' ? 'button main' : 'button', click: final ? () => ask('archive', act(step)) : act(step) }, t(step)));
    }
    if (state === 'draft' && this.#body['role'] === 'owner') row.append(h('button', { type: 'button', class: 'button danger', click: () => ask('delete', () => void this.#delete()) }, t('delete')));
    return h('section', { class: 'card form' }, h('h2', {}, t('lifecycle')), h('p', { class: 'sub' }, t(`about-${state}`)), row);
  }

  async #delete(): Promise<void> {
    try {
      await write('DELETE', this.#path, { etag: this.#etag });
      this.#context.go(linkTo('list'));
    } catch (error) {
      this.#context.complain(error);
    }
  }

  #rules(): HTMLElement {
    const titles = isObject(this.#body['title']) ? this.#body['title'] : {};
    const title = textField('title', { value: textIn(titles, ''), maxlength: 200, dir: 'auto' });
    const policy = new Policy(this.#body['alerts']);
    const locales = Array.isArray(this.#body['locales']) ? this.#body['locales'] : [];
    const boxes = Object.entries(LANGUAGES).map(([id, own]) => [id, own, h('input', { type: 'checkbox', value: id, checked: locales.includes(id) })] as const);
    const languages = h('fieldset', { 'data-field': 'locales' }, h('legend', {}, t('locales')), h('div', { class: 'checks' }, ...boxes.map(([id, own, box]) => h('label', { class: 'check' }, box, h('span', { lang: id }, own)))));
    const visibility = selectField('visibility', [['private', t('private')], ['public', t('public')]], this.#body['visibility'] === 'public' ? 'public' : 'private');
    const isOwner = this.#body['role'] === 'owner';
    const fault = h('p', { class: 'fault', role: 'alert' });
    const save = async (): Promise<void> => {
      clearFaults(element);
      fault.textContent = '';
      try {
        const told = { title: { ...titles, [language]: title.value.trim() }, locales: boxes.filter(([, , { checked }]) => checked).map(([id]) => id), alerts: policy.value };
        const changed = await write('PATCH', this.#path, { body: told, etag: this.#etag });
        this.#etag = changed.etag;
        if (isOwner && visibility.value !== this.#body['visibility'] && !(visibility.value === 'private' && this.#body['visibility'] === 'link')) {
          await write('PUT', `${this.#path}/visibility`, { body: { visibility: visibility.value }, etag: this.#etag });
        }
      } catch (error) {
        const faults = faultsOf(error);
        fault.textContent = showFaults(element, faults).map(({ sentence }) => sentence).join(' ');
        if (faults.length === 0) this.#context.complain(error);
        return;
      }
      await this.#do(() => Promise.resolve(), t('saved'));
    };
    const element = h('form', { class: 'card form', novalidate: true, submit: (event: Event) => { event.preventDefault(); void save(); } },
      h('h2', {}, t('rules')), labelled(t('title'), title), policy.element, languages, ...(isOwner ? [labelled(t('visibility'), visibility, t('visibility-hint'))] : []), fault,
      h('div', { class: 'actions' }, h('button', { type: 'submit', class: 'button main' }, t('save'))));
    return element;
  }

  #recipients(): HTMLElement {
    const list = h('ul', { class: 'people' });
    const path = `${this.#path}/recipients`;
    let etag: string | null = null;
    const show = (body: Json): void => list.replaceChildren(...objects(body['recipients']).map((each) => row(each)));
    const row = (each: Json): HTMLElement => {
      const [email, state] = [text(each['email']) ?? '', text(each['state']) ?? 'pending'];
      const left = state === 'unsubscribed' || state === 'bouncing';
      return h('li', {}, h('bdi', { dir: 'ltr' }, email), h('span', { class: 'tag' }, t(`recipient-${state}` as Key)),
        left ? null : removeButton(t('remove-recipient'), () => void act(() => write('DELETE', `${path}/${number(each['id']) ?? 0}`, { etag }))));
    };
    const renew = async (): Promise<void> => {
      const found = await read(path, {}, this.#context.signal);
      etag = found.etag;
      show(found.body);
    };
    const fault = h('p', { class: 'fault', role: 'alert' });
    const act = async (work: () => Promise<unknown>): Promise<boolean> => {
      fault.textContent = '';
      clearFaults(adding);
      try {
        await work();
      } catch (error) {
        const faults = faultsOf(error);
        fault.textContent = showFaults(adding, faults).map(({ sentence }) => sentence).join(' ');
        if (faults.length === 0) this.#context.complain(error);
        return false;
      }
      await renew();
      return true;
    };
    const email = textField('email', { type: 'email', maxlength: 254, dir: 'ltr', autocomplete: 'off' });
    const locale = languageField('locale', language);
    const severity = severityField('min_severity');
    const add = async (event: Event): Promise<void> => {
      event.preventDefault();
      const body = { email: email.value.trim(), locale: locale.value, min_severity: Number(severity.value) };
      if (await act(() => write('POST', path, { body }))) email.value = '';
    };
    const adding = h('form', { class: 'form', novalidate: true, submit: (event: Event) => void add(event) },
      h('div', { class: 'person-row' }, labelled(t('email'), email), labelled(t('language'), locale), labelled(t('min-severity'), severity), h('button', { type: 'submit', class: 'button' }, t('add'))), fault);
    void renew().catch((error: unknown) => { if (!this.#context.signal.aborted) this.#context.complain(error); });
    return h('section', { class: 'card form' }, h('h2', {}, t('recipients')), h('p', { class: 'hint' }, t('recipients-hint')), list, adding);
  }

  #preview(): HTMLElement {
    const failed = (error: unknown): string => faultsOf(error).map(({ sentence }) => sentence).join(' ');
    return new Preview(() => [{ path: `${this.#path}/preview` }], failed, this.#context.signal).element;
  }
}

export const show: Show = async (host, context) => {
  await loadOwnWords('editor');
  const { body, etag } = await read(pathOf(context.route.slug), {}, context.signal);
  new Edit(host, context, body, etag);
  return () => undefined;
};
