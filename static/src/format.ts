/** Numbers, bytes and dates as people read them. */
import { direction, locale } from './language';
import { t } from './words/shell';

const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const year = new Intl.DateTimeFormat(locale, { year: 'numeric', timeZone: 'UTC' });
const minute = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: 'UTC' });

/** Latin letters and figures that belong together keep their order where the writing runs from right to left. */
const together = (text: string): string => (direction === 'rtl' ? `\u2066${text}\u2069` : text);

const decimal = (value: number, digits: number): string =>
  value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const formatDay = (date: Date): string => day.format(date);
/** The day of a scene in words. */
export const dayOf = (scene: { datetime: Date; dated: boolean }): string => (scene.dated ? formatDay(scene.datetime) : t('date-unknown'));

export const formatTime = (date: Date): string => `${minute.format(date)} UTC`;

export const formatYear = (date: Date): string => year.format(date);

/** YYYY-MM-DD in UTC: what the server and date fields understand. */
export const isoDay = (date: Date): string => date.toISOString().slice(0, 10);

/** Decimal units (kB = 1000 bytes), three significant digits. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return together(`${decimal(value, digits)} ${units[unit]}`);
}

/** A quotient to two significant digits below ten, else whole: 3.4, 9, 39, 120. */
export const formatRatio = (ratio: number): string =>
  ratio.toLocaleString(locale, { maximumFractionDigits: ratio < 9.95 ? 1 : 0 });

/** A value of a style, to three significant digits where it is small. */
export const formatValue = (value: number): string =>
  value.toLocaleString(locale, Math.abs(value) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });

/** Reflectance to four digits, as its digital numbers have; anything else to two. */
export const formatPhysical = (value: number, unit: string): string => decimal(value, unit === 'reflectance' ? 4 : 2);

/** An error of a stored number, to two significant digits. */
export const formatError = (error: number): string =>
  error.toLocaleString(locale, { maximumSignificantDigits: 2, useGrouping: false });

/** `sentinel-2a` as ESA writes it: Sentinel-2A. */
export const formatPlatform = (platform: string): string =>
  platform.replace(/^sentinel-(\d)([a-z]?)$/i, (_, mission: string, unit: string) => `Sentinel-${mission}${unit.toUpperCase()}`);

export function formatPosition(lon: number, lat: number): string {
  const part = (value: number, positive: string, negative: string): string =>
    `${decimal(Math.abs(value), 5)}° ${value < 0 ? negative : positive}`;
  return together(`${part(lat, 'N', 'S')}, ${part(lon, 'E', 'W')}`);
}
