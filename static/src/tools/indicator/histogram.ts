/** The histogram of an indicator's values, as a picture. */
import { svg } from '../../dom';
import type { Range } from '../../api';
import { extentOf, formatEnd, HEIGHT, outline as points, WIDTH } from '../stretch/outline';
import type { Distribution } from '../stretch/histogram';
import { t } from './words';

export const outline = (found: Distribution, extent: Range): SVGElement =>
  svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': t('histogram'), preserveAspectRatio: 'none' }, svg('polygon', { points: points(found, extent) }));

export { extentOf, formatEnd };
