/** Indicators as documents on the server (docs/pof.md): drafts of the page's own, and published ones as styles. */
import { ApiError, fetchJson, isObject, number, objects, text, url, type Range, type Style } from './api';
import { COLORMAPS, needsDocument, ownOf, styleOf, type Indicator } from './indicator';
import { language } from './language';

/** A name for files and documents: small letters, digits and hyphens. */
export const idOf = ({ title }: Pick<Indicator, 'title'>): string =>
  title.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64).replace(/-+$/, '') || 'indicator';

const WORD = /[A-Za-z_]\w*/g;
/** The bands that formulas read. */
export const bandsOf = (formulas: string, bands: readonly string[]): string[] => [...new Set(formulas.match(WORD) ?? [])].filter((word) => bands.includes(word));

/** An example that a document carries: values of bands, and what comes of them. */
export interface Example {
  given: Readonly<Record<string, number>>;
  expect: number | 'invalid';
}

/** The document of an indicator for scenes of a collection. */
export function documentOf(indicator: Indicator, collection: string, bands: readonly string[], examples: readonly Example[] = []): string {
  const { title, formula, range, colormap, mask, valid, classes } = indicator;
  const read = Object.fromEntries(bandsOf(`${formula} ${valid}`, bands).map((band) => [band, band]));
  const named = classes.map(({ from, to, color, title: name }) => ({ from, to, color, title: { [language]: name || `${from} – ${to}` } }));
  const body = {
    pof: 1,
    id: idOf(indicator),
    version: '1.0.0',
    title: { [language]: title || formula },
    inputs: { scene: { collection, bands: read, ...(mask && { mask: { keep: [mask] } }) } },
    value: { formula, ...(valid && { valid }) },
    display: { rescale: range, ...(classes.length === 0 && { colormap }) }, // classes have colours of their own
    ...(named.length > 0 && { classes: named }),
    ...(examples.length > 0 && { tests: examples }),
  };
  return `${JSON.stringify(body, null, 2)}\n`;
}

const drafts = new Map<string, Promise<string>>();

/** Gives a document to the server, which keeps it for a day; answers its name. Once a page for each. */
export function draftOf(document: string): Promise<string> {
  const known = drafts.get(document);
  if (known) return known;
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
  const given = fetchJson(url('pof/drafts'), undefined, { method: 'POST', body: document, headers }).then((answer) => {
    const id = text(answer['id']);
    if (!id) throw new ApiError('The server named no draft.', null);
    return id;
  });
  drafts.set(document, given);
  given.catch(() => drafts.delete(document));
  return given;
}

/** Styles with the link's own one before them, for scenes of a collection with bands. */
export async function withOwn(styles: readonly Style[], extras: ReadonlyMap<string, string>, collection: string, bands: readonly string[]): Promise<Style[]> {
  const own = ownOf(extras);
  if (!own) return [...styles];
  const draft = needsDocument(own) ? await draftOf(documentOf(own, collection, bands)) : null;
  return [styleOf(own, draft), ...styles];
}

const wordsIn = (texts: unknown): string => (isObject(texts) ? (text(texts[language]) ?? text(texts['en']) ?? text(Object.values(texts)[0]) ?? '') : '');

/** Whether a scene has the bands of a document; each is one name, or a list of which any will do. */
function hasBands(body: Record<string, unknown>, bands: readonly string[]): boolean {
  const inputs = isObject(body['inputs']) ? Object.values(body['inputs']) : [];
  const wanted = inputs.flatMap((input) => (isObject(input) && isObject(input['bands']) ? Object.values(input['bands']) : []));
  return wanted.every((names) => [names].flat().some((each) => typeof each === 'string' && bands.includes(each)));
}

/**
 * A document that no list names (`bare-soil@1.0.0`, of somebody else) as a style of scenes with bands; null where the
 * server has none, and where the scenes lack its bands.
 */
export async function styleOfDocument(name: string, bands: readonly string[], signal: AbortSignal): Promise<Style | null> {
  if (!/^[a-z0-9-]+(@\d+\.\d+\.\d+)?$/.test(name)) return null;
  const body = await fetchJson(url(`pof/${encodeURIComponent(name)}`), signal).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  });
  const [value, display] = [body?.['value'], body?.['display']];
  if (!body || !hasBands(body, bands) || !isObject(value) || typeof value['formula'] !== 'string') return null;
  const [low, high] = isObject(display) && Array.isArray(display['rescale']) ? display['rescale'].map(number) : [];
  const range: Range | null = low != null && high != null ? [low, high] : null;
  const map = isObject(display) ? text(display['colormap']) : null;
  const colors = map !== null && Object.hasOwn(COLORMAPS, map) ? COLORMAPS[map as keyof typeof COLORMAPS] : null;
  const classes = objects(body['classes']).map((each, place) => ({ name: text(each['name']) ?? String(place), title: wordsIn(each['title']), color: text(each['color']) ?? '#000000' }));
  return {
    id: name, title: wordsIn(body['title']) || name, description: wordsIn(body['description']) || value['formula'], band: null,
    expression: '', query: { style: name }, rescale: classes.length === 0 && range ? [range] : [], auto: null, classes,
    legend: classes.length === 0 && range && colors ? { minimum: range[0], maximum: range[1], unit: text(value['unit']) ?? '', colors: [...colors] } : null,
  };
}
