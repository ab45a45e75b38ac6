/** Indicators as documents (docs/pof.md), to keep as files and to bring along. */
import { isObject, text } from '../../api';
import { parseIndicator, readIndicator, type Indicator } from '../../indicator';
import { language } from '../../language';
import { bandsOf } from './formula';

/** A name for files and documents: small letters, digits and hyphens. */
export const idOf = ({ title }: Indicator): string =>
  title.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64) || 'indicator';

export function documentOf(indicator: Indicator, collection: string, bands: readonly string[]): string {
  const { title, formula, range, colormap, mask } = indicator;
  const read = Object.fromEntries(bandsOf(formula, bands).map((band) => [band, band]));
  const body = {
    pof: 1,
    id: idOf(indicator),
    version: '1.0.0',
    title: { [language]: title || formula },
    inputs: { scene: { collection, bands: read, ...(mask && { mask: { keep: [mask] } }) } },
    value: { formula },
    display: { rescale: range, colormap },
  };
  return `${JSON.stringify(body, null, 2)}\n`;
}

const first = (value: unknown): unknown => (isObject(value) ? Object.values(value)[0] : undefined);

/** The indicator of a document that `documentOf` wrote, or of one like it: one formula of bands by their own names. */
export function indicatorOf(content: string): Indicator | null {
  let body: unknown;
  try {
    body = JSON.parse(content);
  } catch {
    return null;
  }
  if (!isObject(body) || body['pof'] !== 1 || 'let' in body) return parseIndicator(content);
  const [value, display, input, titles] = [body['value'], body['display'], first(body['inputs']), body['title']];
  if (!isObject(value) || !isObject(display) || !isObject(input)) return null;
  const named = isObject(input['bands']) && Object.entries(input['bands']).every(([name, band]) => name === band);
  const mask = isObject(input['mask']) ? first(input['mask']['keep']) ?? (input['mask']['keep'] as unknown[])[0] : '';
  const title = isObject(titles) ? text(titles[language]) ?? first(titles) : titles;
  if (!named || 'valid' in value || 'range' in value) return null;
  return readIndicator({ title, formula: value['formula'], range: display['rescale'], colormap: display['colormap'], mask });
}
