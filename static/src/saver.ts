/**
 * The data saver: coarser tiles first, by choice, by the browser's wish, or because the link has been found slow. Half
 * the pixels a side are a quarter of the tiles.
 */
import { partOf } from './traffic';

export type Mode = 'auto' | 'on' | 'off';

interface NetworkInformation {
  saveData?: boolean;
  effectiveType?: string;
}

/** Bytes a second below which a link is slow: half a megabit. */
export const SLOW = 62_500;
/** Bytes of tiles that must have come before their speed says anything. */
const ENOUGH = 20_000;
const KEPT = 'comeo-saver';

type Timing = Pick<PerformanceResourceTiming, 'name' | 'transferSize' | 'responseStart' | 'responseEnd' | 'requestStart'>;

/** Bytes a second at which tiles have come, over the time when at least one was under way; null for too few. */
export function speedOf(timings: readonly Timing[]): number | null {
  const tiles = timings.filter(({ name, transferSize }) => transferSize > 0 && partOf(name) === 'imagery').sort((a, b) => a.responseStart - b.responseStart);
  const bytes = tiles.reduce((sum, { transferSize }) => sum + transferSize, 0);
  let [busy, until] = [0, -Infinity];
  for (const { responseStart, responseEnd } of tiles) {
    busy += Math.max(0, responseEnd - Math.max(responseStart, until));
    until = Math.max(until, responseEnd);
  }
  return bytes >= ENOUGH && busy > 0 ? (1000 * bytes) / busy : null;
}

/** Mean bytes of the tiles that have come; null for none. */
export function meanTile(timings: readonly Pick<PerformanceResourceTiming, 'name' | 'encodedBodySize'>[]): number | null {
  const sizes = timings.filter(({ name, encodedBodySize }) => encodedBodySize > 0 && partOf(name) === 'imagery').map(({ encodedBodySize }) => encodedBodySize);
  return sizes.length > 0 ? sizes.reduce((sum, size) => sum + size, 0) / sizes.length : null;
}

export const saves = (mode: Mode, network: NetworkInformation | undefined, speed: number | null): boolean =>
  mode === 'on' || (mode === 'auto' && (network?.saveData === true || /^(slow-2g|2g|3g)$/.test(network?.effectiveType ?? '') || (speed !== null && speed < SLOW)));

const timings = (): PerformanceResourceTiming[] => performance.getEntriesByType('resource') as PerformanceResourceTiming[];

class DataSaver {
  #mode: Mode = (['on', 'off'] as const).find((mode) => mode === kept()) ?? 'auto';
  #sharp = false;
  readonly #listeners = new Set<() => void>();

  get mode(): Mode {
    return this.#mode;
  }

  set mode(mode: Mode) {
    this.#mode = mode;
    try {
      localStorage.setItem(KEPT, mode);
    } catch {
      // a browser that keeps nothing forgets the choice with the page
    }
    this.#tell();
  }

  /** Whether this one view is to be sharp nevertheless. */
  set sharp(sharp: boolean) {
    if (sharp === this.#sharp) return;
    this.#sharp = sharp;
    this.#tell();
  }

  get speed(): number | null {
    return speedOf(timings());
  }

  get meanTile(): number | null {
    return meanTile(timings());
  }

  /** Whether tiles are to be coarser now. */
  get saving(): boolean {
    return !this.#sharp && saves(this.#mode, (navigator as Navigator & { connection?: NetworkInformation }).connection, this.speed);
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export const saver = new DataSaver();
