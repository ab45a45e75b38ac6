/** Clouds over what the map shows, by date: a scene that is half cloud may be clear here. */
import { roundedBox } from '../geo';
import type { MapView } from '../map/map';
import { saver } from '../saver';
import type { Store } from '../store';
import { fetchViews } from '../views';

/** So long the map rests before it is asked for. */
const REST = 1200;

/** Keeps `State.clouds` to what the map shows. A link that has to be saved is told the clouds of whole scenes. */
export function cloudsOverView(store: Store, map: Promise<MapView | null>): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = new AbortController();
  const ask = async (): Promise<void> => {
    const { item, series, pending, tilesLoading } = store.state;
    const view = (await map)?.view();
    if (!view || !item || pending || tilesLoading || series.length < 2 || saver.saving) return;
    asking = new AbortController();
    const { signal } = asking;
    const views = await fetchViews(item.collection, roundedBox(view), {}, signal).catch(() => null); // without an answer the product's figure stays
    if (signal.aborted || !views) return;
    store.update({ clouds: new Map([...views].flatMap(([id, { cloud, covered }]) => (cloud === null || covered === 0 ? [] : [[id, cloud]]))) });
  };
  store.watch(['camera', 'series', 'pending', 'tilesLoading'], () => {
    asking.abort();
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), REST);
  });
}
