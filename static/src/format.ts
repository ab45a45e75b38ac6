/** Numbers, bytes and dates as people read them. */
import { locale } from './language';

const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const minute = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: 'UTC' });

export const formatDay = (date: Date): string => day.format(date);
/** The day of a scene in words. */
export const dayOf = (scene: { datetime: Date; dated: boolean }): string => (scene.dated ? formatDay(scene.datetime) : 'Date unknown');

export const formatTime = (date: Date): string => `${minute.format(date)} UTC`;

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
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** A quotient to two significant digits below ten, else whole: 3.4, 9, 39, 120. */
export const formatRatio = (ratio: number): string =>
  ratio < 9.95 ? ratio.toFixed(1).replace(/\.0$/, '') : Math.round(ratio).toLocaleString(locale);

/** Reflectance to four digits, as its digital numbers have; anything else to two. */
export const formatPhysical = (value: number, unit: string): string => value.toFixed(unit === 'reflectance' ? 4 : 2);

/** An error of a stored number, to two significant digits. */
export const formatError = (error: number): string =>
  error.toLocaleString(locale, { maximumSignificantDigits: 2, useGrouping: false });

/** `sentinel-2a` as ESA writes it: Sentinel-2A. */
export const formatPlatform = (platform: string): string =>
  platform.replace(/^sentinel-(\d)([a-z]?)$/i, (_, mission: string, unit: string) => `Sentinel-${mission}${unit.toUpperCase()}`);

export function formatPosition(lon: number, lat: number): string {
  const part = (value: number, positive: string, negative: string): string =>
    `${Math.abs(value).toFixed(5)}° ${value < 0 ? negative : positive}`;
  return `${part(lat, 'N', 'S')}, ${part(lon, 'E', 'W')}`;
}
