/** Counts what the page has received, from the browser's own resource timing. */

export interface Traffic {
  /** Tiles of imagery. */
  imagery: number;
  /** Code, style, words. */
  page: number;
  /** The reference map and its names, and a basemap. */
  map: number;
  /** Answers about scenes: lists, info, values. */
  data: number;
  requests: number;
  /** Other hosts (a basemap) don't tell their sizes; how many such requests there were. */
  unmeasured: number;
}

type Part = 'imagery' | 'page' | 'map' | 'data';

export const noTraffic = (): Traffic => ({ imagery: 0, page: 0, map: 0, data: 0, requests: 0, unmeasured: 0 });

export const totalOf = (traffic: Traffic): number => traffic.imagery + traffic.page + traffic.map + traffic.data;

export function partOf(path: string): Part {
  if (/\/assets\/(reference|gazetteer)-/.test(path)) return 'map';
  if (/\/tiles\/[^/]+\/\d+\/\d+\/\d+/.test(path)) return 'imagery';
  return /\/(stac|collections|pof|h|statistics|relay|viewer-config\.json)(\/|$)/.test(path) ? 'data' : 'page';
}

type Timing = Pick<PerformanceResourceTiming, 'name' | 'transferSize' | 'encodedBodySize'>;

/** Adds one entry. A transfer size of zero with a body is an answer from the browser's cache: nothing was received. */
export function addTiming(traffic: Traffic, entry: Timing, origin: string): Traffic {
  const address = new URL(entry.name);
  if (!address.protocol.startsWith('http')) return traffic;
  const requests = traffic.requests + 1;
  if (address.origin !== origin && entry.transferSize === 0) {
    return { ...traffic, requests, unmeasured: traffic.unmeasured + 1 };
  }
  const part = address.origin === origin ? partOf(address.pathname) : 'map'; // what is of another host is the basemap
  return { ...traffic, requests, [part]: traffic[part] + entry.transferSize };
}

/** Reports the sum so far, then after every batch of new entries. */
export function watchTraffic(report: (traffic: Traffic) => void): void {
  let traffic = noTraffic();
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) traffic = addTiming(traffic, entry as PerformanceResourceTiming, location.origin);
    report(traffic);
  });
  observer.observe({ type: 'navigation', buffered: true });
  observer.observe({ type: 'resource', buffered: true });
}
