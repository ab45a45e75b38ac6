/** Positions as people write them: degrees, degrees with minutes and seconds, UTM, MGRS and the tiles of Sentinel-2. */
import type { BBox } from '../geo';

export interface Position {
  lon: number;
  lat: number;
  /** Of what is an area, as a tile is. */
  box?: BBox;
}

/** A letter of a direction: west is O in French, Spanish and Portuguese, east L in Portuguese. */
const WEST = 'WO';
const EAST = 'EL';
const SOUTH = 'S';
const NORTH = 'N';
const LETTERS = `[${NORTH}${SOUTH}${EAST}${WEST}]`;
const NUMBER = String.raw`\d+(?:[.,]\d+)?`;
const ANGLE = String.raw`([-−+]?${NUMBER})\s*[°º]?\s*(?:(${NUMBER})\s*['′’]\s*)?(?:(${NUMBER})\s*(?:"|″|”|'')\s*)?`;
const BETWEEN = String.raw`(?:\s*[,;/]\s*|\s+|(?<=${LETTERS}))`;
/** Letters of directions behind both angles, or none; or before both. */
const BEHIND = new RegExp(`^${ANGLE}(${LETTERS})?${BETWEEN}${ANGLE}(${LETTERS})?$`);
const BEFORE = new RegExp(`^(${LETTERS})\\s*${ANGLE}\\s*[,;/]?\\s*(${LETTERS})\\s*${ANGLE}$`);
const MGRS = /^T?(\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z]{2}(?:\d\d){0,5})$/;
const UTM = /^(\d{1,2})\s*([C-HJ-NP-X])\s+(\d{6}(?:[.,]\d+)?)\s*[mE]*[\s,;]+(\d{1,8}(?:[.,]\d+)?)\s*[mN]*$/;
/** Bands of latitude from here on are north of the equator. */
const FIRST_NORTHERN = 'N';

const value = (text: string): number => Number(text.replace(',', '.').replace('−', '-'));

interface Angle {
  /** NaN where it makes no sense. */
  degrees: number;
  /** That its letter names. */
  axis: 'lon' | 'lat' | null;
}

function angle(degrees = '', minutes = '0', seconds = '0', letter = ''): Angle {
  const parts = [minutes, seconds].map(value) as [number, number];
  const size = Math.abs(value(degrees)) + parts[0] / 60 + parts[1] / 3600;
  const negative = /^[-−]/.test(degrees) || (letter !== '' && `${SOUTH}${WEST}`.includes(letter));
  const wrong = parts.some((part) => part >= 60) || (letter !== '' && /^[-−+]/.test(degrees));
  const axis = letter === '' ? null : `${EAST}${WEST}`.includes(letter) ? 'lon' : 'lat';
  return { degrees: wrong ? NaN : negative ? -size : size, axis };
}

function anglesOf(text: string): [Angle, Angle] | null {
  const behind = BEHIND.exec(text)?.slice(1);
  if (behind) return [angle(...behind.slice(0, 4)), angle(...behind.slice(4))];
  const [first, a, b, c, second, ...rest] = BEFORE.exec(text)?.slice(1) ?? [];
  return first === undefined ? null : [angle(a, b, c, first), angle(rest[0], rest[1], rest[2], second)];
}

const onEarth = ({ lon, lat }: Position): boolean => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;

/** Two angles: latitude first, unless letters or sizes say otherwise. */
function parseDegrees(text: string): Position | null {
  const [first, second] = anglesOf(text) ?? [];
  if (!first || !second) return null;
  if (first.axis !== null && first.axis === second.axis) return null;
  const swapped = first.axis === 'lon' || second.axis === 'lat' || (first.axis === null && second.axis === null && Math.abs(first.degrees) > 90);
  const [lat, lon] = swapped ? [second.degrees, first.degrees] : [first.degrees, second.degrees];
  return onEarth({ lon, lat }) ? { lon, lat } : null;
}

async function parseMgrs(text: string): Promise<Position | null> {
  const code = MGRS.exec(text.replaceAll(/\s/g, ''))?.[1];
  if (!code) return null;
  const { inverse } = await import('mgrs');
  try {
    const [west, south, east, north] = inverse(code.padStart(code.search(/[A-Z]/) === 1 ? code.length + 1 : code.length, '0'));
    const box: BBox = [west, south, east, north];
    return box.every(Number.isFinite) ? { lon: (west + east) / 2, lat: (south + north) / 2, box } : null;
  } catch {
    return null; // letters that no zone has
  }
}

async function parseUtm(text: string): Promise<Position | null> {
  const [, zone = '', band = '', east = '', north = ''] = UTM.exec(text) ?? [];
  const number = Number(zone);
  if (!(number >= 1 && number <= 60)) return null;
  const { default: proj4 } = await import('proj4');
  const southern = band === SOUTH || band < FIRST_NORTHERN;
  const [lon, lat] = proj4(`+proj=utm +zone=${number}${southern ? ' +south' : ''} +datum=WGS84`).inverse([value(east), value(north)]);
  return lon !== undefined && lat !== undefined && onEarth({ lon, lat }) ? { lon, lat } : null;
}

/** The position that a text names; null if it is none. `S` after a zone of UTM is the southern half, not the band. */
export async function parsePosition(text: string): Promise<Position | null> {
  const upper = text.trim().toUpperCase();
  return (await parseUtm(upper)) ?? (await parseMgrs(upper)) ?? parseDegrees(upper);
}
