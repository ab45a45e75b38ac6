/** The tools of the map. Each is a chunk of its own, with its words and its style, loaded when it is first opened. */
import type { MapView } from '../map/map';
import type { Store } from '../store';
import type { Viewer } from '../viewer';
import { words } from '../words/words';

/** What a tool works with. */
export interface Context {
  store: Store;
  viewer: Viewer;
  /** Null where this browser can't draw a map. */
  map: Promise<MapView | null>;
}

/** What a tool shows in its card. The element stays in the page, hidden, while the tool is closed. */
export interface ToolPanel {
  element: HTMLElement;
  /** Called each time when the card has appeared. */
  open(): void;
  /** Called each time when the card has gone: gives back the pointer, takes drawings off the map. */
  close(): void;
}

/** What a tool's module exports. */
export interface ToolModule {
  create(context: Context): ToolPanel;
}

export interface Tool {
  /** Name of its folder, of its area of words, and of `tool-<id>` in the words of the shell. */
  id: string;
  label: () => string;
  /** Path of a 20-unit line icon. */
  icon: string;
  /** A letter that opens and closes it while the focus is on the map or its toolbar. */
  shortcut?: string;
  /** Parameters of the link (`State.extras`) with which the tool opens at the start. */
  extras?: readonly string[];
  load: () => Promise<ToolModule>;
}

type Key = keyof typeof import('../words/shell/en.json');
const t = words<Key>('shell');

/** In the order of the toolbar. */
export const TOOLS: readonly Tool[] = [
  {
    id: 'layers',
    label: () => t('tool-layers'),
    icon: 'M10 3l7.5 4-7.5 4-7.5-4zM2.5 10.5l7.5 4 7.5-4M2.5 14l7.5 4 7.5-4',
    shortcut: 'l',
    load: () => import('./layers/layers'),
  },
  {
    id: 'chart',
    label: () => t('tool-chart'),
    icon: 'M3 3v14h14M5.5 13l3.5-4.5 3 2.5 4.5-6',
    shortcut: 'c',
    extras: ['chart'],
    load: () => import('./chart/chart'),
  },
];
