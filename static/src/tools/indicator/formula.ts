/** Formulas as they are typed: words to complete, and what is wrong with them before the server is asked. */

/** What the server's expressions know, with how it is written. */
export const FUNCTIONS: Readonly<Record<string, string>> = {
  abs: 'abs(x)', sqrt: 'sqrt(x)', exp: 'exp(x)', log: 'log(x)', log10: 'log10(x)', sin: 'sin(x)', cos: 'cos(x)', tan: 'tan(x)',
  arctan: 'arctan(x)', tanh: 'tanh(x)', atan2: 'atan2(y, x)', floor: 'floor(x)', round: 'round(x)', min: 'min(x, y)', max: 'max(x, y)',
  nd: 'nd(x, y)', clip: 'clip(x, 0, 1)', if_: 'if_(x > 0, y, z)', where: 'where(x > 0, y, z)', isvalid: 'isvalid(x)', db: 'db(x)', lin: 'lin(VV)', pow: 'pow(VV)',
  focal_mean: 'focal_mean(x, 1)', focal_median: 'focal_median(x, 1)', focal_std: 'focal_std(x, 1)', focal_min: 'focal_min(x, 1)', focal_max: 'focal_max(x, 1)', lee: 'lee(VV, 2)',
};
/** Operators that are words. */
const OPERATORS = ['and', 'or', 'not'];

export interface Fault {
  reason: 'unknown-word' | 'no-band' | 'open-bracket' | 'closed-bracket' | 'odd-sign' | 'one-result';
  offset: number;
  length: number;
  /** What may have been meant. */
  hint: string | null;
}

const WORD = /[A-Za-z_]\w*/g;
const NUMBER_END = /[\d.]$/;

/** Bands of the missions: a scene may lack them, but they are no slip of the keys. */
const BANDS = /^(B(0[1-9]|1[0-2]|8A)|VV|VH|HH|HV)$/;

/**
 * Slips of the keys that make one word of another: a letter too few or too many, or two that are swapped. Another letter
 * counts as two: in short names it is mostly another name.
 */
function slips(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? Infinity) + 1 : Infinity;
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 2), swapped));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}

/** As the server proposes words (`comeo.indicators.typos`): one slip in up to four letters, two in longer words. */
function meant(word: string, known: readonly string[]): string | null {
  const [near] = known.map((each) => [slips(word.toLowerCase(), each.toLowerCase()), each] as const).sort(([a], [b]) => a - b);
  return near && near[0] <= Math.min(word.length > 4 ? 2 : 1, word.length - 1) ? near[1] : null;
}

/** What is wrong with a word that is none of the known ones. */
function strange(word: string, offset: number, known: readonly string[]): Fault {
  const lacking = BANDS.test(word);
  return { reason: lacking ? 'no-band' : 'unknown-word', offset, length: word.length, hint: lacking ? null : meant(word, known) };
}

/** Words of a formula with where they lie; the e of 1e-3 is none. */
export const wordsOf = (formula: string): { word: string; offset: number }[] =>
  [...formula.matchAll(WORD)].filter(({ index }) => !NUMBER_END.test(formula.slice(0, index))).map(({ 0: word, index }) => ({ word, offset: index }));

/** Signs and functions, each of which takes a pass over all pixels. */
export const operationsOf = (formula: string): number =>
  (formula.match(/[+\-*/%<>&|~]+|==|!=/g)?.length ?? 0) + wordsOf(formula).filter(({ word }) => Object.hasOwn(FUNCTIONS, word)).length;

/** The first thing that is wrong; null where the server may be asked. */
export function faultOf(formula: string, bands: readonly string[]): Fault | null {
  const known = [...bands, ...Object.keys(FUNCTIONS), ...OPERATORS];
  const stranger = wordsOf(formula).find(({ word }) => !known.includes(word));
  if (stranger) return strange(stranger.word, stranger.offset, known);
  const open: number[] = [];
  for (const [offset, sign] of [...formula].entries()) {
    if (sign === ';') return { reason: 'one-result', offset, length: 1, hint: null };
    if (sign === '(') open.push(offset);
    if (sign === ')' && open.pop() === undefined) return { reason: 'closed-bracket', offset, length: 1, hint: null };
  }
  const last = open.pop();
  if (last !== undefined) return { reason: 'open-bracket', offset: last, length: 1, hint: null };
  const end = /[+\-*/%<>=&|~,]\s*$/.exec(formula);
  return end ? { reason: 'odd-sign', offset: end.index, length: 1, hint: null } : null;
}

export interface Completion {
  /** From where to where the text is replaced. */
  from: number;
  to: number;
  words: string[];
}

/** Bands and functions that begin with the word at a place; all bands where there is none. */
export function completions(formula: string, place: number, bands: readonly string[]): Completion {
  const before = /[A-Za-z_]\w*$/.exec(formula.slice(0, place))?.[0] ?? '';
  const after = /^\w*/.exec(formula.slice(place))?.[0] ?? '';
  const fits = (word: string): boolean => word.toLowerCase().startsWith(before.toLowerCase()) && word !== before + after;
  const names = [...bands, ...(before ? Object.keys(FUNCTIONS) : [])];
  return { from: place - before.length, to: place + (before ? after.length : 0), words: names.filter(fits) };
}
