/** One observable state; panels and the map subscribe to the fields they show. */
import type { Collection, Item, Layer, SceneInfo, Style } from './api';
import type { Camera } from './link';

export type Projection = 'mercator' | 'globe';

export interface Filter {
  collection: string | null;
  from: string | null;
  to: string | null;
}

/** What is being loaded: it is shown, and the state says so, once its picture is there. */
export interface Pending {
  layer: Layer;
  item: Item | null;
  style: string | null;
}

export interface State {
  catalogue: 'loading' | 'ready' | 'failed';
  collections: Collection[];
  filter: Filter;
  /** Scenes found by the filter, newest first. */
  items: Item[];
  matched: number | null;
  next: string | null;
  /** What the map shows. */
  layer: Layer | null;
  pending: Pending | null;
  /** The scene shown, or the newest one of the mosaic shown. */
  item: Item | null;
  /** All scenes of the same collection over the same place, oldest first. */
  series: Item[];
  /** Percent of cloud over the view by id of a scene of the series, where it is known. */
  clouds: ReadonlyMap<string, number>;
  info: SceneInfo | null;
  /** Credit line of the data on the map; empty when none is due. */
  credit: string;
  /** Every scene shown since the page was opened, by key. */
  viewed: ReadonlyMap<string, SceneInfo>;
  style: string | null;
  /** 0 to 1. */
  opacity: number;
  projection: Projection;
  /** Query of the tiles besides the style, as `rescale`: the server's parameters. */
  rendering: Readonly<Record<string, string>>;
  /** What the tools keep in the link, by the name of the parameter. */
  extras: ReadonlyMap<string, string>;
  /** The other date of a comparison, which has a handle of its own on the timeline. */
  second: Item | null;
  /** Where the map is, once it has come to rest. */
  camera: Camera | null;
  /** Whether the panel is folded away. */
  folded: boolean;
  /** Key of the scene that the pointer or the focus is on. */
  hovered: string | null;
  /** Whether something of the map is on its way: from the start until it has come to rest once, then while tiles are. */
  tilesLoading: boolean;
  error: string | null;
}

/** The style of the picture. */
export const shownStyle = ({ info, style }: Readonly<State>): Style | null => info?.styles.find(({ id }) => id === style) ?? null;

/** Percent of cloud of a scene: over the view where that is known, else of the whole scene; null where neither is. */
export const cloudOf = ({ clouds }: Readonly<State>, item: Item): number | null => clouds.get(item.id) ?? item.cloudCover;

export type Listener = (state: Readonly<State>) => void;

export class Store {
  #state: State;
  readonly #listeners: { keys: readonly (keyof State)[]; listener: Listener }[] = [];

  constructor(initial: State) {
    this.#state = initial;
  }

  get state(): Readonly<State> {
    return this.#state;
  }

  /** Changes fields, then tells whoever watches one that really changed. */
  update(patch: Partial<State>): void {
    const before = this.#state;
    this.#state = { ...before, ...patch };
    const changed = (key: keyof State): boolean => before[key] !== this.#state[key];
    for (const { keys, listener } of [...this.#listeners]) {
      if (keys.some(changed)) listener(this.#state);
    }
  }

  /** Sets one of the tools' parameters of the link; null takes it out. */
  setExtra(name: string, value: string | null): void {
    const extras = new Map(this.#state.extras);
    if (value === null) extras.delete(name);
    else extras.set(name, value);
    this.update({ extras });
  }

  /** Calls the listener at once, and after each change of one of the fields. */
  watch(keys: readonly (keyof State)[], listener: Listener): void {
    this.#listeners.push({ keys, listener });
    listener(this.#state);
  }
}

export const initialState = (): State => ({
  catalogue: 'loading',
  collections: [],
  filter: { collection: null, from: null, to: null },
  items: [],
  matched: null,
  next: null,
  layer: null,
  pending: null,
  item: null,
  series: [],
  clouds: new Map(),
  info: null,
  credit: '',
  viewed: new Map(),
  style: null,
  opacity: 1,
  projection: 'mercator',
  rendering: {},
  extras: new Map(),
  second: null,
  camera: null,
  folded: false,
  hovered: null,
  tilesLoading: true,
  error: null,
});
