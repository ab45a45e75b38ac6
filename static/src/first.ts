/** The first picture: a small one of what the map will show, laid out as the map will be, long before the map's code is there. */
import { layerPath, parseItem, url, type Item } from './api';
import { h } from './dom';
import { intersection, type BBox } from './geo';
import { needsDocument, OWN, ownOf, styleOf } from './indicator';
import type { Link } from './link';
import { fit, frameOf, viewOf, type Frame } from './mercator';
import { stretchOf, stretchQuery } from './stretch';

/** Longest side in pixels: some 10 kB of a scene. */
const SIDE = 256;

/** The scene to begin with, as the server put it into the page; null where it has none. */
export function sceneOfPage(): Item | null {
  const value: unknown = JSON.parse(document.getElementById('first')?.textContent || 'null');
  return value ? parseItem(value as Parameters<typeof parseItem>[0]) : null;
}

/** The picture of a link, null where there is none so early: its style, stretched as the map will be, whose code knows the scene's percentiles by then. */
export function queryOf({ style, extras }: Pick<Link, 'style' | 'extras'>): Readonly<Record<string, string>> | null {
  const indicator = style === OWN ? ownOf(extras) : null;
  if (indicator && needsDocument(indicator)) return null; // which the server is still to be given
  const own = indicator && styleOf(indicator);
  const shown = own?.query ?? (style ? { style } : {});
  const stretch = stretchOf(extras);
  if (stretch.kind === 'auto' && !own) return { ...shown, rescale: 'auto' };
  if (stretch.kind !== 'own' || stretch.style !== style) return shown;
  return { ...shown, ...stretchQuery(stretch.ranges, stretch.gamma) };
}

function address({ collection, id }: Item, picture: Readonly<Record<string, string>>, box: BBox, { width, height }: Frame): string {
  const target = url(`${layerPath({ collection, item: id })}/bbox/${box.map((value) => value.toFixed(6)).join(',')}.webp`);
  const shrink = SIDE / Math.max(width, height);
  const size = (length: number): string => String(Math.max(1, Math.round(length * Math.min(1, shrink))));
  const query = { ...picture, dst_crs: 'EPSG:3857', width: size(width), height: size(height) };
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  return target.href;
}

export class FirstPicture {
  readonly #image = h('img', { id: 'first-picture', alt: '', fetchpriority: 'high' });

  /** Lays the picture over the map's place; `frame` is what of that nothing covers. Resolves when it is seen, or cannot be shown. */
  async show(root: HTMLElement, item: Item, link: Link, frame: Frame): Promise<void> {
    const place = link.camera ?? fit(item.bbox, frame);
    const box = intersection(item.bbox, viewOf(place, frame));
    const query = queryOf(link);
    if (!box || !query) return;
    const { left, top, width, height } = frameOf(box, place, frame);
    this.#image.style.cssText = `left: ${left}px; top: ${top}px; width: ${width}px; height: ${height}px`;
    this.#image.src = address(item, query, box, { left, top, width, height });
    await this.#image.decode().then(
      () => root.append(this.#image),
      () => undefined, // the map's own tiles will tell what is wrong
    );
  }

  remove(): void {
    this.#image.src = '';
    this.#image.remove();
  }
}
