/** Colours of what dates say, as the style sheet has them for light and dark: canvases ask for them by name. */
import type { Standing } from './observation';

export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The style sheet's name for what a date says. Orange is below, violet above: the colour-blind tell them apart. */
export function nameOf(standing: Standing): string {
  return standing.kind === 'outside' ? `--${standing.side}-${standing.severity}` : `--${standing.kind}`;
}

/** From the lowest to the highest value: dark blue to yellow, which the colour-blind see as dark to light (cividis). */
const RAMP = [[0, 34, 78], [67, 78, 108], [125, 124, 120], [188, 175, 111], [254, 232, 56]] as const;

/** A colour between the ends of the ramp, for a share from 0 to 1. */
export function rampColour(share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const place = Math.min(RAMP.length - 2, Math.floor(at));
  const [from, to] = [RAMP[place] ?? RAMP[0], RAMP[place + 1] ?? RAMP[0]];
  return `rgb(${from.map((each, channel) => Math.round(each + (at - place) * ((to[channel] ?? 0) - each))).join(' ')})`;
}

/** Calls when the colours change; answers how to stop that. */
export function onColours(changed: () => void): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', changed);
  return () => dark.removeEventListener('change', changed);
}
