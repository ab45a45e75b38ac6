/** The toolbar on the map, and the card in which one tool at a time is open (on a phone: a sheet). */
import { h, icon } from '../dom';
import { isRenewed } from '../renewed';
import { t } from '../words/shell';
import { loadWords } from '../words/words';
import { TOOLS, type Context, type Tool, type ToolPanel } from './registry';

const CROSS = 'M5 5l10 10M15 5L5 15';

/** Leaves the words of the buttons away where there is no room for them; what is read out stays. */
function fitButtons(bar: HTMLElement): void {
  bar.classList.remove('icons');
  bar.classList.toggle('icons', bar.scrollWidth > bar.clientWidth);
}

export class Toolbar {
  readonly #context: Context;
  readonly #card: HTMLElement;
  readonly #title = h('h2', { id: 'tool-title' });
  readonly #body = h('div', { class: 'tool-body' });
  readonly #buttons = new Map<string, HTMLButtonElement>();
  readonly #panels = new Map<string, ToolPanel>();
  #open: Tool | null = null;

  /** `bar` gets the buttons, `card` the open tool; letters open tools while the focus is inside `stage`. */
  constructor(bar: HTMLElement, card: HTMLElement, stage: HTMLElement, context: Omit<Context, 'openTool'>) {
    const openTool = (id: string): void => {
      const tool = TOOLS.find((each) => each.id === id);
      if (tool) void this.open(tool);
    };
    this.#context = { ...context, openTool };
    this.#card = card;
    const close = h('button', { type: 'button', class: 'round', 'aria-label': t('close'), click: () => this.close() }, icon(CROSS));
    card.append(h('div', { class: 'title-row' }, this.#title, close), this.#body);
    bar.append(...TOOLS.map((tool) => this.#button(tool)));
    new ResizeObserver(() => fitButtons(bar)).observe(stage);
    stage.addEventListener('keydown', (event) => this.#key(event));
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Opens the tool that the link speaks of, if there is one. */
  openFromLink(): void {
    const { extras } = this.#context.store.state;
    const tool = TOOLS.find((each) => each.extras?.some((name) => extras.has(name)));
    if (tool) void this.open(tool);
  }

  async open(tool: Tool): Promise<void> {
    this.#leave(tool.id);
    this.#open = tool;
    this.#mark();
    try {
      const panel = this.#panels.get(tool.id) ?? (await this.#create(tool));
      if (this.#open !== tool) return;
      this.#title.textContent = tool.label();
      for (const [id, { element }] of this.#panels) element.hidden = id !== tool.id;
      this.#card.hidden = false;
      this.#body.scrollTop = 0;
      panel.open();
    } catch (error) {
      console.warn(error);
      if (this.#open !== tool) return;
      this.close();
      const words = { tool: tool.label() };
      this.#context.store.update({ error: t('tool-failed', words) });
      if (await isRenewed()) this.#context.store.update({ error: t('tool-renewed', words) });
    }
  }

  /** Closes what is open; the focus goes back to its button. */
  close(): void {
    const tool = this.#open;
    if (!tool) return;
    this.#leave(null);
    this.#buttons.get(tool.id)?.focus({ preventScroll: true });
  }

  #leave(next: string | null): void {
    const tool = this.#open;
    if (!tool) return;
    this.#open = null;
    const shown = !this.#card.hidden;
    this.#card.hidden = true;
    this.#mark();
    if (shown) this.#panels.get(tool.id)?.close(next);
  }

  async #create(tool: Tool): Promise<ToolPanel> {
    const [module] = await Promise.all([tool.load(), loadWords(tool.id)]);
    const panel = this.#panels.get(tool.id) ?? module.create(this.#context);
    this.#panels.set(tool.id, panel);
    this.#body.append(panel.element);
    return panel;
  }

  #button(tool: Tool): HTMLButtonElement {
    const toggle = (): void => {
      if (this.#open === tool) this.close();
      else void this.open(tool);
    };
    const { id, shortcut } = tool;
    const label = tool.label();
    const title = shortcut ? `${label} (${shortcut.toUpperCase()})` : label;
    const attributes = { type: 'button', id: `open-${id}`, title, 'aria-expanded': 'false', 'aria-controls': 'tool', 'aria-keyshortcuts': shortcut ?? null, click: toggle };
    const button = h('button', attributes, icon(tool.icon), h('span', {}, label));
    this.#buttons.set(id, button);
    return button;
  }

  #mark(): void {
    for (const [id, button] of this.#buttons) button.setAttribute('aria-expanded', String(this.#open?.id === id));
  }

  /** Letters are for those who have the map or a button before them, never for who writes. */
  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const writes = target.matches('input, select, textarea, [contenteditable]');
    if (writes || event.ctrlKey || event.altKey || event.metaKey || this.#card.contains(target)) return;
    const tool = TOOLS.find(({ shortcut }) => shortcut === event.key.toLowerCase());
    if (!tool) return;
    event.preventDefault();
    if (this.#open === tool) this.close();
    else void this.open(tool);
  }
}
