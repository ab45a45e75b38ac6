/** Indicators as documents (docs/pof.md), to keep as files and to bring along. */
import { isObject, objects, text } from '../../api';
import { parseIndicator, readIndicator, type Indicator } from '../../indicator';
import { language } from '../../language';

/** Longer than this no formula becomes by its steps. */
const LONGEST = 4000;

/** Of each name that a formula may have for a band the band: the first of those that it may stand for. */
const bandsOf = (bands: unknown): [string, string][] =>
  Object.entries(isObject(bands) ? bands : {}).flatMap(([name, band]) => {
    const one = text(Array.isArray(band) ? band[0] : band);
    return one ? [[name, one] as [string, string]] : [];
  });

const stepsOf = (steps: unknown): [string, string][] =>
  Object.entries(isObject(steps) ? steps : {}).flatMap(([name, step]) => (typeof step === 'string' ? [[name, `(${step})`] as [string, string]] : []));

/** A formula of bands by their own names, its steps put in; null where it grows too long. */
function inBands(formula: string, words: ReadonlyMap<string, string>): string | null {
  let before = '';
  // each pass puts in one step of a step; of bands, whose names stand for themselves, there is none
  for (let now = formula; now.length <= LONGEST; now = now.replace(/[A-Za-z_]\w*/g, (word) => words.get(word) ?? word)) {
    if (now === before) return now;
    before = now;
  }
  return null;
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
  if (!isObject(body) || body['pof'] !== 1) return parseIndicator(content);
  const [value, display, input, titles] = [body['value'], body['display'], first(body['inputs']), body['title']];
  if (!isObject(value) || !isObject(display) || !isObject(input)) return null;
  const words = new Map([...stepsOf(body['let']), ...bandsOf(input['bands'])]);
  const [formula, valid] = [value['formula'], value['valid']].map((each) => (typeof each === 'string' ? inBands(each, words) : each));
  const mask = isObject(input['mask']) ? first(input['mask']['keep']) ?? (input['mask']['keep'] as unknown[])[0] : '';
  const title = isObject(titles) ? text(titles[language]) ?? first(titles) : titles;
  const classes = objects(body['classes']).map(({ from, to, color, title: names }) => ({ from, to, color, title: isObject(names) ? (text(names[language]) ?? first(names)) : '' }));
  if (formula === null || valid === null || Object.keys(body['inputs'] as object).length > 1 || 'range' in value || 'reference_period' in body) return null;
  return readIndicator({ title, formula, valid, range: display['rescale'], colormap: display['colormap'], mask, classes });
}
