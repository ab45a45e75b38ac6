/** Arabic for a renderer that neither joins letters nor writes from the right: both are done to the text beforehand. */
import reshaper from 'arabic-persian-reshaper';

const ARABIC = /[\u0600-\u06ff]/;
const MIRRORED = { '(': ')', ')': '(' };

/**
 * An Arabic name as presentation forms from left to right, so that letters drawn one after the other read right.
 * Names in another script stay as they are; a run of digits or of Latin letters keeps its own order.
 */
export function drawnFromLeft(name) {
  if (!ARABIC.test(name)) return name;
  const runs = reshaper.ArabicShaper.convertArabic(name).match(/[\p{Script=Latin}\p{Nd}]+|./gsu) ?? [];
  return runs.map((run) => MIRRORED[run] ?? run).reverse().join('');
}

/** Letters that sound alike share one; vowels, and consonants that are often left out, have none. */
const SOUNDS = {
  ب: 'b', ت: 't', ث: 't', ج: 'g', ح: '', خ: 'k', د: 'd', ذ: 'd', ر: 'r', ز: 's', س: 's', ش: 's', ص: 's', ض: 'd', ط: 't',
  ظ: 's', ع: '', غ: 'g', ف: 'f', ق: 'k', ك: 'k', ل: 'l', م: 'm', ن: 'n', ه: '', ة: '',
  p: 'b', b: 'b', t: 't', j: 'g', g: 'g', k: 'k', c: 'k', q: 'k', d: 'd', r: 'r', z: 's', s: 's', f: 'f', v: 'f', l: 'l',
  m: 'm', n: 'n', x: 's',
};
const DIGRAPHS = [[/kh/g, 'k'], [/gh/g, 'g'], [/[cs]h/g, 's'], [/th/g, 't'], [/dh/g, 'd'], [/ph/g, 'f'], [/c(?=[ei])/g, 's']];

function skeleton(name) {
  const plain = name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  const text = DIGRAPHS.reduce((sofar, [from, to]) => sofar.replace(from, to), plain);
  return [...text].map((letter) => SOUNDS[letter] ?? '').join('').replace(/(.)\1+/g, '$1');
}

/** Edits that make one text of another (Levenshtein), over the length of the longer. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] / Math.max(1, a.length, b.length);
}

/** Arabic's own letters and blanks: Persian, Urdu and Kurdish names have others. */
const PURE = /^[\u0621-\u063a\u0641-\u064a]+( [\u0621-\u063a\u0641-\u064a]+)*$/;
/** Where Arabic is an official language, its name of a place needn't sound like the Latin one. */
const OFFICIAL = new Set('AE BH DJ DZ EG EH ER IQ JO KM KW LB LY MA MR OM PS QA SA SD SO SY TD TN YE'.split(' '));
/** Consonants that may differ, of all: less alike is another name of the place, or another place. */
const ALIKE = 0.34;

/** The Arabic name among names in languages that are not told apart: the one that sounds most like `name`, or null. */
export function arabicName(name, country, alternates) {
  const sound = skeleton(name);
  const candidates = alternates
    .filter((each) => PURE.test(each))
    .map((each) => ({ each, far: distance(sound, skeleton(each)) }))
    .sort((a, b) => a.far - b.far);
  const [best] = candidates;
  return best && (best.far <= ALIKE || OFFICIAL.has(country)) ? best.each : null;
}
