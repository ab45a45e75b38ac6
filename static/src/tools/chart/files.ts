/** Files with fields: GeoJSON, KML, KMZ, GPX, zipped Shapefile. What reads them is loaded when a file needs it. */
import type { FeatureCollection, GeoJSON } from 'geojson';

import { fieldsOf, FieldError, type Field } from './fields';

/** Bytes; a file of 500 detailed fields has about one million. */
const LARGEST = 10_000_000;
const LARGEST_UNPACKED = 50_000_000;

export const ACCEPTED = '.geojson,.json,.kml,.kmz,.gpx,.zip';

async function markup(text: string, kind: 'kml' | 'gpx'): Promise<GeoJSON> {
  const document = new DOMParser().parseFromString(text, 'text/xml');
  if (document.querySelector('parsererror')) throw new FieldError('file-damaged');
  const library = await import('@tmcw/togeojson');
  return library[kind](document) as GeoJSON;
}

/** Bytes of all files in a zip, as its directory states them; 0 where it has none that can be read. */
function unpackedSize(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) return 0;
  let size = 0;
  for (let at = view.getUint32(end + 16, true); at + 46 <= end && view.getUint32(at, true) === 0x02014b50; ) {
    size += view.getUint32(at + 24, true);
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return size;
}

function checkUnpacked(bytes: Uint8Array): void {
  if (unpackedSize(bytes) > LARGEST_UNPACKED) throw new FieldError('file-large');
}

/** The KML document in a KMZ, which is a zip. */
async function unpacked(bytes: Uint8Array): Promise<string> {
  checkUnpacked(bytes);
  const { iter } = await import('but-unzip');
  for (const entry of iter(bytes)) {
    if (!entry.filename.toLowerCase().endsWith('.kml')) continue;
    const content = await entry.read();
    if (content.length > LARGEST_UNPACKED) throw new FieldError('file-large'); // its directory did not tell the truth
    return new TextDecoder().decode(content);
  }
  throw new FieldError('no-fields');
}

async function shapefile(bytes: ArrayBuffer): Promise<GeoJSON> {
  checkUnpacked(new Uint8Array(bytes));
  const { default: read } = await import('shpjs');
  const found = (await read(bytes)) as FeatureCollection | FeatureCollection[];
  const layers = Array.isArray(found) ? found : [found];
  return { type: 'FeatureCollection', features: layers.flatMap(({ features }) => features) };
}

async function documentOf(file: File): Promise<GeoJSON> {
  switch (/\.(\w+)$/.exec(file.name.toLowerCase())?.[1]) {
    case 'geojson':
    case 'json':
      return JSON.parse(await file.text()) as GeoJSON;
    case 'kml':
      return markup(await file.text(), 'kml');
    case 'gpx':
      return markup(await file.text(), 'gpx');
    case 'kmz':
      return markup(await unpacked(new Uint8Array(await file.arrayBuffer())), 'kml');
    case 'zip':
      return shapefile(await file.arrayBuffer());
    default:
      throw new FieldError('file-kind');
  }
}

/** Reads the fields of a file. Raises a FieldError that says why it can't be used. */
export async function readFields(file: File): Promise<Field[]> {
  if (file.size > LARGEST) throw new FieldError('file-large');
  try {
    return fieldsOf(await documentOf(file));
  } catch (error) {
    if (error instanceof FieldError) throw error;
    console.warn(error);
    throw new FieldError('file-damaged');
  }
}
