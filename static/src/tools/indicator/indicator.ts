/** An indicator of the user's own: formula, range, colours, mask; shown at once, shared by the link, kept as they like. */
import { ApiError, namesOf, type Range } from '../../api';
import { bandsOf, documentOf, draftOf } from '../../documents';
import { h } from '../../dom';
import { COLORMAPS, INDICATOR, MASKS, OWN, parseIndicator, styleOf, type Colormap, type Indicator } from '../../indicator';
import { addSheet } from '../../sheets';
import type { State } from '../../store';
import { copyText, saveBlob } from '../common';
import type { Context, ToolPanel } from '../registry';
import { extentOf, formatEnd, outline } from './histogram';
import { fetchDistributions, isEmpty, overlap, rangeOf, type Distribution } from '../stretch/histogram';
import { checkDocument } from './check';
import { ClassesField, cut } from './classes';
import { FormulaField } from './editor';
import { ACCEPTED, examplesOf, exported, EXPORTS, imported, IMPORTS, mayPublish, publish, type Export } from './exchange';
import { operationsOf, type Fault } from './formula';
import css from './indicator.css';
import { forget, keep, keptIndicators } from './kept';
import { t, type Key } from './words';

addSheet(css);

/** The map follows when typing has rested for so long, in milliseconds. */
const REST = 700;
const EXAMPLE = '(B08 - B04) / (B08 + B04)';
const PLAIN: Indicator = { title: '', formula: EXAMPLE, range: [0, 1], colormap: 'viridis', mask: '', valid: '', classes: [] };

class Editor implements ToolPanel {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #title = h('input', { id: 'indicator-title', maxlength: 80, change: () => this.#later() });
  readonly #formula = new FormulaField('formula', t('formula'), 3, (_, fault) => this.#edited(fault));
  readonly #valid = new FormulaField('valid', t('valid'), 1, (_, fault) => fault || this.#later());
  readonly #classes = new ClassesField(() => cut(this.#range(), 4, this.#colors.value as Colormap), () => void this.#apply());
  readonly #start = h('select', { id: 'indicator-start', change: () => this.#begin() });
  readonly #low = h('input', { type: 'number', id: 'indicator-low', step: 'any', change: () => this.#ranged() });
  readonly #high = h('input', { type: 'number', id: 'indicator-high', step: 'any', change: () => this.#ranged() });
  readonly #colors = h('select', { id: 'indicator-colors', change: () => void this.#apply() }, ...Object.keys(COLORMAPS).map((name) => h('option', { value: name }, name)));
  readonly #mask = h('select', { id: 'indicator-mask', change: () => void this.#apply() }, ...MASKS.map((mask) => h('option', { value: mask }, t(`mask-${mask || 'all'}` as Key))));
  readonly #ramp = h('div', { class: 'ramp' });
  readonly #histogram = h('div', { class: 'indicator-histogram', dir: 'ltr' });
  readonly #cost = h('p', { class: 'hint' });
  readonly #status = h('p', { class: 'hint', role: 'status' });
  readonly #file = h('input', { type: 'file', accept: ACCEPTED, hidden: true, change: () => void this.#open() });
  readonly #to = h('select', { 'aria-label': t('save-as') }, ...Object.keys(EXPORTS).map((name) => h('option', { value: name }, t(`as-${name}` as Key))));
  readonly #from = h('select', { 'aria-label': t('open-as') }, h('option', { value: '' }, t('as-pof')), ...IMPORTS.map((name) => h('option', { value: name }, t(`as-${name}` as Key))));
  readonly #publish = h('button', { type: 'button', hidden: true, title: t('publish-hint'), click: () => void this.#give() }, t('publish'));
  readonly #kept = h('ul', { class: 'indicator-kept' });
  #bands: string[] = [];
  /** Whether the range is the view's, or what somebody has set. */
  #free = true;
  #work = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context) {
    this.#context = context;
    const row = (id: string, label: string, field: HTMLElement): HTMLElement => h('div', { class: 'indicator-row' }, h('label', { for: id }, label), field);
    const button = (label: string, click: () => void): HTMLElement => h('button', { type: 'button', click }, label);
    const end = (label: string, field: HTMLElement): HTMLElement => h('div', {}, h('label', { for: field.id }, label), field);
    const range = h('div', { class: 'indicator-range', role: 'group', 'aria-label': t('range') }, this.#ramp, end(t('low'), this.#low), end(t('high'), this.#high));
    this.element = h('div', { class: 'indicator' },
      row('indicator-start', t('start'), this.#start), row('indicator-title', t('title'), this.#title), this.#formula.element, this.#cost,
      range, this.#histogram, button(t('fit'), () => void this.#fit()), row('indicator-colors', t('colors'), this.#colors), row('indicator-mask', t('mask'), this.#mask),
      h('details', { class: 'indicator-more' }, h('summary', {}, t('where')), h('p', { class: 'hint' }, t('valid-hint')), this.#valid.element), this.#classes.element,
      h('div', { class: 'indicator-keep' }, h('button', { type: 'button', class: 'indicator-main', click: () => void this.#copy() }, t('copy')), button(t('keep'), () => this.#keep()), this.#publish),
      this.#status,
      h('details', { class: 'indicator-more' }, h('summary', {}, t('files')),
        h('div', { class: 'indicator-keep' }, this.#to, button(t('save'), () => void this.#save())),
        h('div', { class: 'indicator-keep' }, this.#from, button(t('open'), () => this.#file.click()), this.#file)),
      this.#kept);
    context.store.watch(['info'], (state) => {
      this.#learn(state);
      this.#offer(state);
    });
  }

  open(): void {
    this.#list();
    const own = parseIndicator(this.#context.store.state.extras.get(INDICATOR));
    if (own) this.#fill(own);
    this.#paint();
    this.#learn(this.#context.store.state);
    void this.#count();
    void mayPublish().then((may) => (this.#publish.hidden = !may));
  }

  close(): void {
    this.#work.abort();
    clearTimeout(this.#timer);
  }

  /** The bands of the scene. */
  #learn({ info }: Readonly<State>): void {
    const bands = info?.bands ?? [];
    this.#bands = namesOf(bands);
    this.#formula.bands = bands;
    this.#valid.bands = bands;
    if (this.#formula.value) this.#tellCost();
  }

  /** Styles to begin with. */
  #offer({ info }: Readonly<State>): void {
    const styles = (info?.styles ?? []).filter(({ id, legend, expression }) => id !== OWN && legend !== null && expression !== '' && !expression.includes(';'));
    this.#start.replaceChildren(h('option', { value: '' }, t('empty')), ...styles.map(({ id, title }) => h('option', { value: id }, title)));
  }

  #begin(): void {
    const style = this.#context.store.state.info?.styles.find(({ id }) => id === this.#start.value);
    this.#formula.value = style?.expression ?? EXAMPLE;
    const [range] = style?.rescale ?? [];
    this.#title.value = style ? t('my', { title: style.title }) : '';
    if (range) this.#setRange(range);
    this.#free = !range;
    this.#edited(this.#formula.fault);
  }

  #fill({ title, formula, range, colormap, mask, valid, classes }: Indicator): void {
    this.#title.value = title;
    this.#formula.value = formula;
    this.#colors.value = colormap;
    this.#mask.value = mask;
    this.#valid.value = valid;
    this.#valid.element.closest('details')?.toggleAttribute('open', valid !== '');
    this.#classes.value = classes;
    this.#free = false;
    this.#setRange(range);
  }

  #setRange([low, high]: Range): void {
    const short = (value: number): string => String(Number(value.toPrecision(4)));
    [this.#low.value, this.#high.value] = [short(low), short(high)];
  }

  #range(): Range {
    return [this.#low.valueAsNumber, this.#high.valueAsNumber];
  }

  #indicator(): Indicator | null {
    const range = this.#range();
    const formula = this.#formula.value;
    if (!formula || this.#formula.fault || this.#valid.fault || !(range[0] < range[1])) return null;
    return { title: this.#title.value.trim(), formula, range, colormap: this.#colors.value as Colormap, mask: this.#mask.value, valid: this.#valid.value, classes: this.#classes.value };
  }

  #edited(fault: Fault | null): void {
    this.#tellCost();
    if (!fault && this.#formula.value) this.#later();
    else clearTimeout(this.#timer);
  }

  #tellCost(): void {
    const formula = this.#formula.value;
    this.#cost.textContent = formula ? t('cost', { bands: bandsOf(formula, this.#bands).length, operations: operationsOf(formula) }) : '';
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void (this.#free ? this.#fit() : this.#apply()), REST);
  }

  #ranged(): void {
    this.#free = false;
    void this.#apply();
  }

  /** The range of the view's values, then the picture. */
  async #fit(): Promise<void> {
    const found = await this.#count();
    if (found.length === 0) return;
    this.#setRange(found.map((each) => rangeOf(each, 2))[0] ?? [0, 1]);
    await this.#apply();
  }

  /** How the values of the view are distributed; the server's sentence where the formula can't be computed. */
  async #count(): Promise<Distribution[]> {
    this.#work.abort();
    this.#work = new AbortController();
    const { signal } = this.#work;
    const { item } = this.#context.store.state;
    const view = (await this.#context.map)?.view();
    const box = item && view ? overlap(view, item.bbox) : null;
    const formula = this.#formula.value;
    if (!formula || this.#formula.fault) return [];
    if (!item || !box) {
      this.#status.textContent = t('nothing-here');
      return [];
    }
    try {
      const wanted = styleOf({ ...PLAIN, formula, mask: this.#mask.value });
      const found = await fetchDistributions(item, wanted, box, signal);
      this.#formula.refused = null;
      this.#status.textContent = isEmpty(found) ? t('no-values') : '';
      this.#drawHistogram(isEmpty(found) ? [] : found);
      return isEmpty(found) ? [] : found;
    } catch (error) {
      if (!signal.aborted) await this.#refused(item.collection, formula, error instanceof ApiError ? error.message : String(error));
      return [];
    }
  }

  /** Asks the server where the fault is; without an answer its first sentence will do. */
  async #refused(collection: string, formula: string, sentence: string): Promise<void> {
    this.#formula.refused = { formula, message: sentence, offset: null, length: 0 };
    const shown = documentOf({ ...PLAIN, formula }, collection, this.#bands);
    const found = await checkDocument(shown);
    if (found && this.#formula.value === formula) this.#formula.refused = { formula, ...found };
  }

  #drawHistogram(found: readonly Distribution[]): void {
    const [first] = found;
    this.#histogram.replaceChildren();
    if (!first) return;
    const range: Range = [this.#low.valueAsNumber || 0, this.#high.valueAsNumber || 0];
    const extent = extentOf(found, range[0] < range[1] ? [range] : []);
    this.#histogram.append(outline(first, extent), h('div', { class: 'scale' }, h('span', {}, formatEnd(extent[0])), h('span', {}, formatEnd(extent[1]))));
  }

  #paint(): void {
    this.#ramp.style.background = `linear-gradient(to right, ${COLORMAPS[this.#colors.value as Colormap].join(', ')})`;
  }

  async #apply(): Promise<void> {
    const indicator = this.#indicator();
    if (!indicator) return void (this.#status.textContent = this.#formula.value && !this.#formula.fault ? t('odd-range') : '');
    this.#paint();
    this.#status.textContent = '';
    await this.#context.viewer.setIndicator(indicator);
  }

  async #copy(): Promise<void> {
    await this.#apply();
    this.#status.textContent = t((await copyText(location.href)) ? 'copied' : 'not-copied');
  }

  #keep(): void {
    const indicator = this.#indicator();
    if (!indicator) return;
    const named = { ...indicator, title: indicator.title || indicator.formula.slice(0, 80) };
    this.#title.value = named.title;
    this.#status.textContent = t(keep(named) ? 'is-kept' : 'not-kept');
    this.#list();
  }

  async #save(): Promise<void> {
    const indicator = this.#indicator();
    const { item } = this.#context.store.state;
    if (!indicator || !item) return;
    await this.#try(async () => {
      const { content, name } = await exported(indicator, this.#to.value as Export, item.collection, this.#bands);
      saveBlob(new Blob([content], { type: 'text/plain' }), name);
    });
  }

  async #open(): Promise<void> {
    const [file] = this.#file.files ?? [];
    this.#file.value = '';
    if (!file) return;
    await this.#try(async () => {
      const found = await imported(file, this.#from.value, this.#bands);
      if (!found) return void (this.#status.textContent = t('not-read'));
      this.#fill(found.indicator);
      this.#free = !found.ranged;
      this.#edited(this.#formula.fault);
    });
  }

  /** Publishes the indicator; the map shows it under its name from then on. */
  async #give(): Promise<void> {
    const indicator = this.#indicator();
    const { item } = this.#context.store.state;
    const view = (await this.#context.map)?.view();
    const box = item && view ? overlap(view, item.bbox) : null;
    if (!indicator || !item || !box) return void (this.#status.textContent = t('nothing-here'));
    this.#status.textContent = t('publishing');
    await this.#try(async () => {
      const plain = styleOf(indicator, await draftOf(documentOf({ ...indicator, classes: [] }, item.collection, this.#bands)));
      const examples = await examplesOf(plain, item, box, bandsOf(`${indicator.formula} ${indicator.valid}`, this.#bands));
      const name = await publish(indicator, item.collection, this.#bands, examples);
      this.#status.textContent = t('published', { name });
      await this.#context.viewer.setStyle(name);
    });
  }

  /** Says what goes wrong on the way. */
  async #try(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => (this.#status.textContent = error instanceof ApiError ? error.message : String(error)));
  }

  #list(): void {
    const entry = (indicator: Indicator): HTMLElement => {
      const use = (): void => {
        this.#fill(indicator);
        this.#edited(this.#formula.fault);
      };
      const drop = (): void => {
        forget(indicator.title);
        this.#list();
      };
      return h('li', {}, h('button', { type: 'button', class: 'text-button', title: indicator.formula, click: use }, indicator.title), h('button', { type: 'button', class: 'text-button', click: drop, 'aria-label': t('forget-it', { title: indicator.title }) }, t('forget')));
    };
    this.#kept.replaceChildren(...keptIndicators().map(entry));
  }
}

export const create = (context: Context): ToolPanel => new Editor(context);
