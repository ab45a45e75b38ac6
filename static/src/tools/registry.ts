/** The tools of the map. Each is a chunk of its own, with its words and its style, loaded when it is first opened. */
import type { MapView } from '../map/map';
import type { Store } from '../store';
import type { Viewer } from '../viewer';
import { t } from '../words/shell';

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


/** In the order of the toolbar. */
export const TOOLS: readonly Tool[] = [
  {
    id: 'search',
    label: () => t('tool-search'),
    icon: 'M8.5 3a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M12.5 12.5L17 17',
    shortcut: 's',
    load: () => import('./search/search'),
  },
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
  {
    id: 'stretch',
    label: () => t('tool-stretch'),
    icon: 'M10 2.5a7.5 7.5 0 1 0 0 15a7.5 7.5 0 1 0 0-15M10 2.5v15M10 6h6M10 10h7.5M10 14h6',
    load: () => import('./stretch/stretch'),
  },
  {
    id: 'indicator',
    label: () => t('tool-indicator'),
    icon: 'M7 17c2.5 0 2.5-3 3.2-7S11.5 3 14 3M6 8.5h7M13 12l4 5M17 12l-4 5',
    load: () => import('./indicator/indicator'),
  },
];
