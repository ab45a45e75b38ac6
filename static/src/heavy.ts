/**
 * What costs the server much (statistics, parts of scenes, clouds over a view) the page asks for in turn: a server of few
 * threads keeps one for tiles, and answers 503 to whoever asks for more at once.
 */
const AT_ONCE = 2;

let running = 0;
const waiting: (() => void)[] = [];

/** Does a piece of work once fewer than two others are under way; one that is no longer wanted takes no turn. */
export async function inTurn<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  while (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
  try {
    signal?.throwIfAborted();
    return await work();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}
