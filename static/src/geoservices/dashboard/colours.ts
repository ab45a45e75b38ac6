/** Colours of what dates say, as the style sheet has them for light and dark: canvases ask for them by name. */
import type { Standing } from './observation';

export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The style sheet's name for what a date says. Orange is below, violet above: the colour-blind tell them apart. */
export function nameOf(standing: Standing): string {
  return standing.kind === 'outside' ? `--${standing.side}-${standing.severity}` : `--${standing.kind}`;
}

/** Calls when the colours change; answers how to stop that. */
export function onColours(changed: () => void): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', changed);
  return () => dark.removeEventListener('change', changed);
}
