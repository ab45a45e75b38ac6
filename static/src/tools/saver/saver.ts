/** The data saver: when it saves, how fast the link is, what the next click costs. */
import { h } from '../../dom';
import { formatBytes } from '../../format';
import type { MapView } from '../../map/map';
import { clickBytes } from '../../price';
import { saver, type Mode } from '../../saver';
import { addSheet } from '../../sheets';
import { words } from '../../words/words';
import type { Context, ToolPanel } from '../registry';
import css from './saver.css';

type Key = keyof typeof import('../../words/saver/en.json');
const t = words<Key>('saver');
const MODES: readonly Mode[] = ['auto', 'on', 'off'];

addSheet(css);

class SaverTool implements ToolPanel {
  readonly element: HTMLElement;
  readonly #map: Promise<MapView | null>;
  readonly #facts = h('div', { class: 'saver-facts', role: 'status' });
  readonly #sharpen = h('button', { type: 'button', click: () => (saver.sharp = true) });
  readonly #changed = (): void => void this.#show();

  constructor({ map }: Context) {
    this.#map = map;
    const chip = (mode: Mode): HTMLElement => h('label', { class: 'chip' },
      h('input', { type: 'radio', name: 'saver-mode', value: mode, checked: mode === saver.mode, change: () => (saver.mode = mode) }), h('span', {}, t(mode)));
    this.element = h('div', { class: 'saver' },
      h('fieldset', {}, h('legend', {}, t('mode')), h('div', { class: 'chips' }, ...MODES.map(chip))), this.#facts, this.#sharpen);
    saver.onChange(this.#changed);
  }

  open(): void {
    void this.#map.then((map) => map?.maplibre.on('idle', this.#changed));
    void this.#show();
  }

  close(): void {
    void this.#map.then((map) => map?.maplibre.off('idle', this.#changed));
  }

  async #show(): Promise<void> {
    const map = await this.#map;
    if (!map) return;
    const { saving, speed } = saver;
    const bytes = (coarse: boolean): string =>
      formatBytes(clickBytes(map.view(), map.maplibre.getZoom(), coarse));
    const lines = [
      speed === null ? t('no-speed') : t('speed', { speed: formatBytes(speed) }),
      t(saving ? 'saving' : 'full'),
      t('price', { size: bytes(saving) }),
      ...(saving ? [t('other', { size: bytes(false) })] : []),
    ];
    this.#facts.replaceChildren(...lines.map((line) => h('p', {}, line)));
    this.#sharpen.hidden = !saving;
    this.#sharpen.textContent = t('sharpen', { size: bytes(false) });
  }
}

export const create = (context: Context): ToolPanel => new SaverTool(context);
