/** Reflectance over wavelength, as a small drawing with the expected errors as bars. */
import type { BandValue } from '../api';
import { svg } from '../dom';

const WIDTH = 280;
const HEIGHT = 72;
const PAD = 6;

type Known = BandValue & { wavelength: number; physical: number };

/** Nothing when fewer than three bands have both reflectance and wavelength. */
export function spectrum(bands: readonly BandValue[], label: string): SVGElement | null {
  const known = bands
    .filter((band): band is Known => band.wavelength !== null && band.physical !== null && band.unit === 'reflectance')
    .sort((a, b) => a.wavelength - b.wavelength);
  const [first, last] = [known[0], known[known.length - 1]];
  if (!first || !last || known.length < 3 || last.wavelength <= first.wavelength) return null;
  const top = Math.max(0.1, ...known.map(({ physical, physicalError }) => physical + (physicalError ?? 0)));
  const x = ({ wavelength }: Known): string =>
    (PAD + ((wavelength - first.wavelength) / (last.wavelength - first.wavelength)) * (WIDTH - 2 * PAD)).toFixed(1);
  const y = (value: number): string => (HEIGHT - PAD - (Math.max(0, value) / top) * (HEIGHT - 2 * PAD)).toFixed(1);
  const bar = (band: Known, error: number): SVGElement =>
    svg('line', { class: 'error-bar', x1: x(band), x2: x(band), y1: y(band.physical - error), y2: y(band.physical + error) });
  return svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'spectrum', role: 'img', 'aria-label': label },
    svg('line', { x1: PAD, x2: WIDTH - PAD, y1: HEIGHT - PAD, y2: HEIGHT - PAD, class: 'axis' }),
    svg('polyline', { points: known.map((band) => `${x(band)},${y(band.physical)}`).join(' ') }),
    ...known.flatMap((band) => (band.physicalError === null ? [] : [bar(band, band.physicalError)])),
    ...known.map((band) => svg('circle', { cx: x(band), cy: y(band.physical), r: 2.5 })),
  );
}
