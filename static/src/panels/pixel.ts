/** The panel of a pixel's values. What fills it comes with the first pixel that is read. */
import { withWords } from '../words/words';
import type { Readings } from './readings';

export class PixelPanel {
  readonly #root: HTMLElement;
  readonly #onClose: () => void;
  #readings: Readings | null = null;

  constructor(root: HTMLElement, onClose: () => void) {
    this.#root = root;
    this.#onClose = onClose;
  }

  get open(): boolean {
    return !this.#root.hidden;
  }

  async readings(): Promise<Readings> {
    const { Readings } = await withWords('pixel', import('./readings'));
    return (this.#readings ??= new Readings(this.#root, () => this.close()));
  }

  close(): void {
    if (!this.open) return;
    this.#root.hidden = true;
    this.#onClose();
  }
}
