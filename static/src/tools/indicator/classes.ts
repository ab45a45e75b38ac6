/** Classes of an indicator: from a number to below another, with a colour and a name each. */
import { h } from '../../dom';
import { COLORMAPS, MOST_CLASSES, readClasses, type Colormap, type ValueClass } from '../../indicator';
import { t } from './words';

/** Classes of equal width over a range, in colours of a map. */
export function cut([low, high]: readonly [number, number], count: number, colormap: Colormap): ValueClass[] {
  const colors = COLORMAPS[colormap];
  const short = (value: number): number => Number(value.toPrecision(4));
  const at = (place: number): number => short(low + ((high - low) * place) / count);
  return Array.from({ length: count }, (_, place) => ({
    from: at(place), to: at(place + 1), color: colors[Math.round(((place + 0.5) * (colors.length - 1)) / count)] ?? colors[0], title: '',
  }));
}

export class ClassesField {
  readonly element: HTMLElement;
  readonly #list = h('ul', { class: 'indicator-classes' });
  readonly #said = h('p', { class: 'indicator-fault', role: 'status' });
  readonly #changed: () => void;
  readonly #suggest: () => ValueClass[];
  #rows: ValueClass[] = [];

  /** `suggest` makes the classes to begin with; `changed` is told of each change that makes sense. */
  constructor(suggest: () => ValueClass[], changed: () => void) {
    this.#suggest = suggest;
    this.#changed = changed;
    const button = (label: string, click: () => void): HTMLElement => h('button', { type: 'button', click }, label);
    this.element = h('details', { class: 'indicator-more' }, h('summary', {}, t('classes')), h('p', { class: 'hint' }, t('classes-hint')), this.#list, this.#said,
      h('div', { class: 'indicator-keep' }, button(t('add-class'), () => this.#add()), button(t('no-classes'), () => this.#set([]))));
  }

  get value(): readonly ValueClass[] {
    return readClasses(this.#rows) ?? [];
  }

  set value(classes: readonly ValueClass[]) {
    this.#rows = classes.map((each) => ({ ...each }));
    this.element.toggleAttribute('open', classes.length > 0);
    this.#draw();
  }

  #set(rows: ValueClass[]): void {
    this.#rows = rows;
    this.#draw();
    this.#changed();
  }

  #add(): void {
    const last = this.#rows.at(-1);
    if (!last) return this.#set(this.#suggest());
    if (this.#rows.length >= MOST_CLASSES) return void (this.#said.textContent = t('many-classes', { count: MOST_CLASSES }));
    this.#set([...this.#rows, { ...last, from: last.to, to: Number((2 * last.to - last.from).toPrecision(4)), title: '' }]);
  }

  #draw(): void {
    this.#list.replaceChildren(...this.#rows.map((each, place) => this.#row(each, place)));
    this.#judge();
  }

  #judge(): boolean {
    const sound = readClasses(this.#rows) !== null;
    this.#said.textContent = sound ? '' : t('odd-classes');
    return sound;
  }

  #row(row: ValueClass, place: number): HTMLElement {
    const number = place + 1;
    const edited = (change: Partial<ValueClass>): void => {
      Object.assign(row, change);
      if (this.#judge()) this.#changed();
    };
    const end = (key: 'from' | 'to'): HTMLInputElement => {
      const field = h('input', { type: 'number', step: 'any', value: row[key], 'aria-label': t(`class-${key}`, { number }), change: () => edited({ [key]: field.valueAsNumber }) });
      return field;
    };
    const color = h('input', { type: 'color', value: row.color, 'aria-label': t('class-color', { number }), change: () => edited({ color: color.value }) });
    const title = h('input', { value: row.title, maxlength: 80, placeholder: t('class-name'), 'aria-label': t('class-title', { number }), change: () => edited({ title: title.value.trim() }) });
    const drop = h('button', { type: 'button', class: 'text-button', 'aria-label': t('drop-class', { number }), click: () => this.#set(this.#rows.filter((each) => each !== row)) }, '×');
    return h('li', {}, color, end('from'), end('to'), title, drop);
  }
}
