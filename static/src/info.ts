/** What the server tells of a scene and of a collection: styles, bands, and how true the copy is; in the page's language. */
import { fetchJson, isObject, layerPath, number, objects, text, url, type Fidelity, type Layer, type Legend, type Range, type SceneInfo, type Style } from './api';
import { language } from './language';
import { bandInOurWords, fidelityInOurWords, loadServerWords, styleInOurWords } from './words/server';

/** Address of what is told of a scene or a collection. English is what the server speaks by itself. */
export function infoAddress(layer: Layer): URL {
  const target = url(`${layerPath(layer)}/info`);
  if (language !== 'en') target.searchParams.set('lang', language);
  return target;
}

function parseLegend(value: unknown): Legend | null {
  if (!isObject(value)) return null;
  const colors = (Array.isArray(value['colors']) ? value['colors'] : []).filter(
    (color): color is string => typeof color === 'string' && /^#[0-9a-f]{6}([0-9a-f]{2})?$/i.test(color),
  );
  const minimum = number(value['minimum']);
  const maximum = number(value['maximum']);
  return minimum !== null && maximum !== null && colors.length > 1 ? { minimum, maximum, unit: text(value['unit']) ?? '', colors } : null;
}

function parseRanges(value: unknown): Range[] {
  const pairs = Array.isArray(value) ? value : [];
  return pairs.flatMap((pair): Range[] => {
    const [low, high] = Array.isArray(pair) ? [number(pair[0]), number(pair[1])] : [null, null];
    return low !== null && high !== null && low < high ? [[low, high]] : [];
  });
}

function parseStyles(value: unknown): Style[] {
  return objects(value).flatMap((style) => {
    const id = text(style['id']);
    if (!id) return [];
    const expression = text(style['expression']) ?? '';
    return [
      {
        id,
        title: text(style['title']) ?? id,
        description: text(style['description']) ?? '',
        band: /^\w+$/.test(expression) ? expression : null,
        expression,
        query: { style: id },
        legend: parseLegend(style['legend']),
        rescale: parseRanges(style['rescale']),
        auto: Array.isArray(style['auto']) ? parseRanges(style['auto']) : null,
        classes: objects(style['classes']).flatMap((each) => {
          const color = text(each['color']) ?? '';
          return /^#[0-9a-f]{6}$/i.test(color) ? [{ name: text(each['name']) ?? '', title: text(each['title']) ?? '', color }] : [];
        }),
      },
    ];
  });
}

export function parseFidelity(value: unknown): Fidelity | null {
  const error = isObject(value) ? number(value['expected_error']) : null;
  if (!isObject(value) || error === null) return null;
  const fieldError = number(value['field_error']);
  return { error, fieldError, unit: text(value['unit']) ?? '', grade: text(value['grade']) ?? '', meaning: text(value['meaning']) ?? '' };
}

export async function fetchInfo(collection: string, item: string, signal?: AbortSignal): Promise<SceneInfo> {
  const [body] = await Promise.all([fetchJson(infoAddress({ collection, item }), signal), loadServerWords()]);
  return {
    codec: text(body['codec']) ?? '',
    ratio: number(body['ratio']) ?? 0,
    rawBytes: number(body['raw_bytes']) ?? 0,
    archiveBytes: number(body['archive_bytes']) ?? 0,
    fidelity: fidelityInOurWords(parseFidelity(body['fidelity'])),
    styles: parseStyles(body['styles']).map(styleInOurWords),
    bands: objects(body['bands']).map((band) => bandInOurWords({ name: text(band['name']) ?? '', title: text(band['title']) ?? '', wavelength: number(band['center_wavelength']) })),
  };
}

/** Styles that the bands common to a whole collection can give. */
export async function fetchCollectionStyles(collection: string, signal?: AbortSignal): Promise<Style[]> {
  const [body] = await Promise.all([fetchJson(infoAddress({ collection, until: null }), signal), loadServerWords()]);
  return parseStyles(body['styles']).map(styleInOurWords);
}

