/** The picture for messages: of what the map shows, or of an area that the server makes a picture of. */
import type { Layer } from '../../api';
import { roundedBox, type BBox } from '../../geo';
import { direction } from '../../language';
import type { MapView } from '../../map/map';
import { drawCaptioned, stripHeight, type Caption } from '../../picture/furniture';
import { BYTES_PER_PIXEL, captureMap, dayOfItem, fetchPicture, fileName, metresPerPixel, placeName, sizeOf, styleName } from '../../picture/ground';
import { titleOf } from '../../panels/title';
import { stretched } from '../../panels/legend';
import { shownStyle, type State } from '../../store';

/** Pixels of the longer side of a picture that the server makes: what messengers keep. */
const SIDE = 1600;

export interface Picture {
  blob: Blob;
  name: string;
  width: number;
  height: number;
}

export function captionOf(state: Readonly<State>, box: BBox, width: number): Caption {
  const { item, credit, layer, rendering } = state;
  const shown = shownStyle(state);
  const dates = layer && item ? titleOf(layer, item) : '';
  const title = [placeName(box).replace('_', ' '), dates, shown?.title ?? ''].filter(Boolean).join(' · ');
  return { title, credit, legend: shown?.legend ? stretched(shown.legend, rendering) : null, classes: shown?.classes ?? [], metresPerPixel: metresPerPixel(box, width), direction };
}

async function finished(picture: ImageBitmap, state: Readonly<State>, box: BBox): Promise<Picture> {
  const { width } = picture;
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = picture.height + stripHeight(width);
  drawCaptioned(canvas, picture, captionOf(state, box, width));
  picture.close();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('The picture is too large for this browser.');
  const day = state.layer && 'item' in state.layer ? dayOfItem(state.item) : null;
  return { blob, name: fileName(placeName(box), day, styleName(state), 'png'), width: canvas.width, height: canvas.height };
}

/** Of the screen: costs no byte. */
export const viewPicture = async (map: MapView, state: Readonly<State>): Promise<Picture> =>
  finished(await captureMap(map), state, roundedBox(map.view()));

/** Bytes that the picture of an area is expected to cost. */
export function priceOf(box: BBox): number {
  const { width, height } = sizeOf(box, SIDE);
  return width * height * BYTES_PER_PIXEL;
}

export async function areaPicture(layer: Layer, query: Readonly<Record<string, string>>, box: BBox, state: Readonly<State>): Promise<Picture> {
  const blob = await fetchPicture(layer, query, box, SIDE);
  return finished(await createImageBitmap(blob), state, box);
}
