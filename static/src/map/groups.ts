/** What the user may hide from the map, and what they have hidden: it stays hidden at the next visit. */

/** Sets of layers by how their names begin. Hidden layers fetch nothing: without the reference the map costs nothing. */
export const MAP_GROUPS = {
  footprints: 'footprint-',
  reference: 'reference-',
  graticule: 'graticule',
} as const;
export type MapGroup = keyof typeof MAP_GROUPS;

const KEPT = 'comeo-hidden';

interface Saving {
  connection?: { saveData?: boolean };
}

/** Groups hidden at the start: as kept; else, for users who ask for few bytes, the reference. */
export function hiddenGroups(storage: Pick<Storage, 'getItem'> | undefined, network: Saving): Set<MapGroup> {
  const kept = storage?.getItem(KEPT);
  const names = kept ?? (network.connection?.saveData === true ? 'reference' : '');
  return new Set(names.split(' ').filter((name): name is MapGroup => Object.hasOwn(MAP_GROUPS, name)));
}

export function keepHidden(groups: ReadonlySet<MapGroup>, storage: Pick<Storage, 'setItem'> | undefined): void {
  storage?.setItem(KEPT, [...groups].join(' '));
}

/** The browser's storage; none where it is forbidden. */
export function keptStorage(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
