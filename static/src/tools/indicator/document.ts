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

const replaced = (formula: string, words: ReadonlyMap<string, string>): string => formula.replace(/[A-Za-z_]\w*/g, (word) => words.get(word) ?? word);

/** A formula of bands by their own names, its steps put in; null where these never end. */
function inBands(formula: string, steps: ReadonlyMap<string, string>, bands: ReadonlyMap<string, string>): string | null {
  let whole = formula;
  // a step may have earlier ones in it: no chain of them is longer than there are steps
  for (let pass = 0; pass <= steps.size && whole.length <= LONGEST; pass++) whole = replaced(whole, steps);
  return whole.length <= LONGEST && replaced(whole, steps) === whole ? replaced(whole, bands) : null;
}

/** The one class that a mask keeps; null for a mask that is more than that. */
function maskOf(mask: unknown): string | null {
  if (mask === undefined) return '';
  const [keep, ...more] = isObject(mask) && Array.isArray(mask['keep']) ? mask['keep'] : [];
  return isObject(mask) && Object.keys(mask).length === 1 && more.length === 0 ? text(keep) : null;
}

/** Where a document says none, until the view's own is known. */
const UNRANGED = [-1, 1];
const rescaleOf = (display: unknown): unknown => (isObject(display) ? display['rescale'] : undefined);

/** Whether a document says in which range its values are shown. */
export function isRanged(content: string): boolean {
  const body: unknown = JSON.parse(content);
  return isObject(body) && (body['pof'] !== 1 || rescaleOf(body['display']) !== undefined);
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
  if (!isObject(value) || !isObject(input)) return null;
  const [steps, bands] = [new Map(stepsOf(body['let'])), new Map(bandsOf(input['bands']))];
  const [formula, valid] = [value['formula'], value['valid']].map((each) => (typeof each === 'string' ? inBands(each, steps, bands) : each));
  const mask = maskOf(input['mask']);
  const title = isObject(titles) ? text(titles[language]) ?? first(titles) : titles;
  const classes = objects(body['classes']).map(({ from, to, color, title: names }) => ({ from, to, color, title: isObject(names) ? (text(names[language]) ?? first(names)) : '' }));
  if (formula === null || valid === null || mask === null || Object.keys(body['inputs'] as object).length > 1 || 'range' in value || 'reference_period' in body) return null;
  return readIndicator({ title, formula, valid, range: rescaleOf(display) ?? UNRANGED, colormap: isObject(display) ? display['colormap'] : undefined, mask, classes });
}
