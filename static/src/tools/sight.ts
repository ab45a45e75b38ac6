/** Bringing a place into the part of the map that no card covers. */
import type { BBox } from '../geo';
import type { MapView } from '../map/map';
import { FIT } from '../mercator';

/** A card this wide lies along the bottom, as on a phone; a narrower one lies at a side. */
const WIDE = 0.67;
const MARGIN = 8;

interface Sides {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What a card leaves of the map: the wider part beside it, or what lies above it. */
function free(stage: DOMRect, card: DOMRect | undefined, low: number): Sides {
  const { left, top, right, bottom } = { left: stage.left, top: stage.top, right: stage.right, bottom: stage.bottom - low };
  if (!card || card.width === 0) return { left, top, right, bottom };
  if (card.width > WIDE * stage.width) return { left, top, right, bottom: Math.min(bottom, card.top) };
  return card.left - left > right - card.right ? { left, top, right: card.left, bottom } : { left: card.right, top, right, bottom };
}

const stays = (): void => undefined;

/**
 * Moves the map, if a box is not in sight; `closer` lets it come nearer, else it only moves off. What is returned moves it
 * back where it was, unless the user has moved it meanwhile.
 */
export function bringIntoSight(map: MapView, [west, south, east, north]: BBox, element: HTMLElement, closer: boolean): () => void {
  const { maplibre } = map;
  const padding = maplibre.getPadding();
  const stage = maplibre.getContainer().getBoundingClientRect();
  const sides = free(stage, element.closest('#tool')?.getBoundingClientRect(), padding.bottom ?? 0);
  const corners = [[west, south], [west, north], [east, south], [east, north]].map((each) => maplibre.project(each as [number, number]));
  const xs = corners.map(({ x }) => stage.left + x);
  const ys = corners.map(({ y }) => stage.top + y);
  const within = Math.min(...xs) >= sides.left + MARGIN && Math.max(...xs) <= sides.right - MARGIN && Math.min(...ys) >= sides.top + MARGIN && Math.max(...ys) <= sides.bottom - MARGIN;
  if (within && !closer) return stays;
  const room = {
    left: sides.left - stage.left + FIT.padding,
    right: stage.right - sides.right + FIT.padding,
    top: sides.top - stage.top + FIT.padding,
    bottom: Math.max(0, stage.bottom - sides.bottom - (padding.bottom ?? 0)) + FIT.padding,
  };
  const camera = maplibre.cameraForBounds([west, south, east, north], { padding: room, maxZoom: closer ? FIT.maxZoom : maplibre.getZoom() });
  if (!camera) return stays;
  const before = { center: maplibre.getCenter(), zoom: maplibre.getZoom() };
  let moved = false;
  maplibre.easeTo({ ...camera, duration: 300 });
  const byUser = (event: { originalEvent?: unknown }): void => void (moved ||= event.originalEvent !== undefined);
  maplibre.on('movestart', byUser);
  return () => {
    maplibre.off('movestart', byUser);
    if (!moved && !closer) maplibre.easeTo({ ...before, duration: 300 });
  };
}
