/** QR codes as SVG: modules of one path on white, with the quiet zone of four modules that ISO/IEC 18004 asks for. */
import { encode } from 'uqr';

import { svg } from '../../dom';

const QUIET = 4;
/** Bytes that a code of the largest version holds at the lowest level of correction. */
export const LONGEST = 2953;

export interface Code {
  /** Modules to a side, the quiet zone included. */
  size: number;
  /** Of an SVG, in modules. */
  path: string;
}

/** Null where the text is too long. */
export function codeOf(text: string): Code | null {
  if (new TextEncoder().encode(text).length > LONGEST) return null;
  const { data, size } = encode(text, { border: QUIET, ecc: 'L', boostEcc: true });
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
  return { size, path };
}

export function drawCode({ size, path }: Code, label: string): SVGElement {
  return svg('svg', { viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': label, class: 'share-qr', 'shape-rendering': 'crispEdges' },
    svg('path', { d: `M0 0h${size}v${size}H0z`, fill: '#ffffff' }), svg('path', { d: path, fill: '#000000' }));
}
