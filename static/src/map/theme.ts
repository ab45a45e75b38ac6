/** The map's colours come from style.css, so that page and map change between light and dark together. */

const NAMES = ['water', 'land', 'coast', 'border', 'graticule', 'label', 'halo', 'outline', 'casing'] as const;

export type Palette = Record<(typeof NAMES)[number], string>;

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--map-${name}`).trim();
  return Object.fromEntries(NAMES.map((name) => [name, colour(name)])) as Palette;
}

export function onThemeChange(apply: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
}
