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
  /** Opens another tool in the place of the one that is open. */
  openTool: (id: string) => void;
}

/** What a tool shows in its card. The element stays in the page, hidden, while the tool is closed. */
export interface ToolPanel {
  element: HTMLElement;
  /** Called each time when the card has appeared. */
  open(): void;
  /** Called each time when the card has gone: gives back the pointer, takes drawings off the map. `next` is the tool that comes. */
  close(next: string | null): void;
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
    id: 'compare',
    label: () => t('tool-compare'),
    icon: 'M10 2.5v15M3 5h4.5v10H3zM12.5 5H17v10h-4.5z',
    shortcut: 'v',
    extras: ['compare'],
    load: () => import('./compare/compare'),
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
    id: 'measure',
    label: () => t('tool-measure'),
    icon: 'M2.5 13.5l11-11 4 4-11 11zM6 10l1.5 1.5M8.5 7.5L10 9M11 5l1.5 1.5',
    shortcut: 'm',
    load: () => import('./measure/measure'),
  },
  {
    id: 'download',
    label: () => t('tool-download'),
    icon: 'M10 3v9.5M6 9l4 4 4-4M3.5 16.5h13',
    shortcut: 'd',
    extras: ['area'],
    load: () => import('./download/download'),
  },
  {
    id: 'share',
    label: () => t('tool-share'),
    icon: 'M14.5 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM5.5 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM14.5 17a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7.3 9l5.4-3M7.3 11l5.4 3',
    load: () => import('./share/share'),
  },
  {
    id: 'timelapse',
    label: () => t('tool-timelapse'),
    icon: 'M6 4l9 6-9 6zM17.5 4v12',
    shortcut: 't',
    load: () => import('./timelapse/timelapse'),
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
  {
    id: 'saver',
    label: () => t('tool-saver'),
    icon: 'M3 13a7 7 0 1 1 14 0M10 13l3.5-4',
    load: () => import('./saver/saver'),
  },
  {
    id: 'offline',
    label: () => t('tool-offline'),
    icon: 'M5 3h10v14l-5-4-5 4z',
    load: () => import('./offline/offline'),
  },
];
