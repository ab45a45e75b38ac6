/** A month of scenes, as calendars show it. */
import type { Found } from './scenes';

export interface Day {
  number: number;
  /** The clearest scene of the day. */
  scene: Found | null;
}

const clearer = (a: Found | null, b: Found): Found => (a && (a.cloud ?? 101) <= (b.cloud ?? 101) ? a : b);

/** Weeks of a month (0 is January), from a first day of the week (1 is Monday, 7 Sunday); null beyond the month. */
export function monthOf(scenes: readonly Found[], year: number, month: number, firstDay: number): (Day | null)[][] {
  const count = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const before = (new Date(Date.UTC(year, month, 1)).getUTCDay() + 7 - (firstDay % 7)) % 7;
  const days: Day[] = Array.from({ length: count }, (_, index) => ({ number: index + 1, scene: null }));
  for (const found of scenes) {
    const { datetime } = found.item;
    const day = datetime.getUTCFullYear() === year && datetime.getUTCMonth() === month ? days[datetime.getUTCDate() - 1] : undefined;
    if (day) day.scene = clearer(day.scene, found);
  }
  const cells: (Day | null)[] = [...Array.from({ length: before }, () => null), ...days];
  while (cells.length % 7) cells.push(null);
  return Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(week * 7, week * 7 + 7));
}
