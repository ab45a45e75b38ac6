/** On a phone the panel is a sheet at the bottom, in three heights, moved by its handle. */

import { lessMotion } from '../motion';
import { t } from '../words/shell';

type Detent = 'peek' | 'half' | 'full';

/** Height of the map's lower edge, where the strip of dates lies; kept free even without it, so that the map never jumps. */
const STRIP = 72;
/** A drag shorter than this is a tap. */
const TAP = 8;

export class Sheet {
  readonly #panel: HTMLElement;
  readonly #handle: HTMLButtonElement;
  readonly #onResize: () => void;
  readonly #phone = matchMedia('(max-width: 47.99em)');

  constructor(panel: HTMLElement, handle: HTMLButtonElement, onResize: () => void) {
    this.#panel = panel;
    this.#handle = handle;
    this.#onResize = onResize;
    this.#phone.addEventListener('change', onResize);
    panel.addEventListener('transitionend', (event) => {
      if (event.target === panel) onResize();
    });
    this.#drag();
  }

  get active(): boolean {
    return this.#phone.matches;
  }

  /** Pixels of the map that the sheet covers; at most half, so that the map's middle stays on the map. */
  get covers(): number {
    if (!this.active) return 0;
    return Math.min(this.#panel.getBoundingClientRect().height, innerHeight * 0.55);
  }

  get padding(): { top: number; right: number; bottom: number; left: number } {
    return { top: 0, right: 0, bottom: this.active ? this.covers : STRIP, left: 0 };
  }

  set(detent: Detent): void {
    this.#panel.dataset['detent'] = detent;
    this.#handle.setAttribute('aria-expanded', String(detent !== 'peek'));
    this.#handle.setAttribute('aria-label', detent === 'full' ? t('panel-smaller') : t('panel-larger'));
    if (lessMotion()) this.#onResize();
  }

  #detent(): Detent {
    return (this.#panel.dataset['detent'] as Detent | undefined) ?? 'half';
  }

  #drag(): void {
    let start = 0;
    let height = 0;
    let dragging = false;
    const handle = this.#handle;
    handle.addEventListener('pointerdown', (event) => {
      start = event.clientY;
      height = this.#panel.getBoundingClientRect().height;
      dragging = true;
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener('pointermove', (event) => {
      if (!dragging || Math.abs(start - event.clientY) < TAP) return;
      this.#panel.style.height = `${Math.max(96, Math.min(innerHeight * 0.92, height + start - event.clientY))}px`;
      this.#panel.classList.add('dragging');
    });
    const end = (event: PointerEvent): void => {
      if (!dragging) return;
      dragging = false;
      const moved = start - event.clientY;
      this.#panel.classList.remove('dragging');
      this.#panel.style.height = '';
      if (Math.abs(moved) >= TAP) this.set(this.#closest(height + moved));
    };
    handle.addEventListener('pointerup', end);
    handle.addEventListener('pointercancel', end);
    handle.addEventListener('click', (event) => {
      if (Math.abs(start - event.clientY) >= TAP && event.detail > 0) return;
      const next: Record<Detent, Detent> = { peek: 'half', half: 'full', full: 'peek' };
      this.set(next[this.#detent()]);
    });
  }

  #closest(height: number): Detent {
    const share = height / innerHeight;
    return share < 0.3 ? 'peek' : share < 0.7 ? 'half' : 'full';
  }
}
