/** The views of the page: each is fetched, with its words, when it is opened. */
import type { Account } from './api';
import type { Name, Route } from './route';

export interface Context {
  readonly route: Route;
  /** Who is signed in; null for nobody. */
  readonly account: Account | null;
  /** Aborted when the view is left. */
  readonly signal: AbortSignal;
  /** Goes to an address of the page: `linkTo('geoservice', slug)`. */
  readonly go: (link: string) => void;
  /** Keeps what is set in the view in the link, without opening it anew; null takes a name out. */
  readonly keep: (settings: Readonly<Record<string, string | null>>) => void;
  /** Title of the page, for the window and for screen readers. */
  readonly entitle: (title: string) => void;
  /** Tells what went wrong, above everything. */
  readonly complain: (error: unknown) => void;
  /** Asks anew who is signed in, and opens the view again. */
  readonly renew: () => Promise<void>;
}

/** Fills `host`; what it answers is called when the view is left. */
export type Show = (host: HTMLElement, context: Context) => Promise<() => void>;

type Load = () => Promise<{ show: Show }>;

const VIEWS: Readonly<Partial<Record<Name, Load>>> = {
  list: () => import('./views/list'),
  geoservice: () => import('./views/geoservice'),
  'sign-in': () => import('./views/sign-in'),
  queue: () => import('./views/queue'),
  new: () => import('./views/new'),
  edit: () => import('./views/edit'),
  relayed: () => import('./views/relayed'),
  compressions: () => import('./views/compressions'),
};

/** Whether the page has a view, and may link to it. */
export const has = (name: Name): boolean => VIEWS[name] !== undefined;

export const load = async (name: Name): Promise<Show> => (await (VIEWS[name] ?? VIEWS.list!)()).show;

