/**
 * What the page says. An area of words is a folder of catalogues, one a language: `words/<area>/{en,fr,pt,es,ar}.json`.
 * A message is a text with {placeholders}, or, where a number decides, one text for each of the language's plural forms
 * (CLDR's zero, one, two, few, many, other; the number is the value `count`). Only the language in use is fetched.
 */
import { direction, language, locale } from '../language';

export type Values = Readonly<Record<string, string | number>>;
export type Message = string | Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>;
export type Catalogue = Readonly<Record<string, Message>>;

/** Says a message; `Key` is `keyof typeof import('./<area>/en.json')`, so that the compiler knows the keys. */
export type Say<Key extends string = string> = (key: Key, values?: Values) => string;

const catalogues = new Map<string, Catalogue>();

/** Fetches the words of an area; its messages can be said from then on. */
export function loadWords(area: string): Promise<void> {
  return keepWords(area, () => import(`./${area}/${language}.json`) as Promise<{ default: Catalogue }>);
}

/** Keeps the words of an area, which a page may have in a folder of its own: each lists the files of its own words alone. */
export async function keepWords(area: string, fetched: () => Promise<{ default: Catalogue }>): Promise<void> {
  if (!catalogues.has(area)) catalogues.set(area, (await fetched()).default);
}

/** A part of the page that comes when it is needed, with the words of its area. */
export async function withWords<Part>(area: string, part: Promise<Part>): Promise<Part> {
  return (await Promise.all([part, loadWords(area)]))[0];
}

/** A message with its values, numbers as `tag` writes them. */
export function fill(message: Message, values: Values, tag: string): string {
  const text = typeof message === 'string' ? message : plural(message, values, tag);
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The message “${text}” has no value for ${name}.`);
    if (typeof value === 'number') return value.toLocaleString(tag);
    return direction === 'rtl' ? `\u2068${value}\u2069` : value; // a name keeps its own direction
  });
}

function plural(message: Exclude<Message, string>, values: Values, tag: string): string {
  const form = new Intl.PluralRules(tag).select(Number(values['count']));
  const text = message[form] ?? message.other;
  if (text === undefined) throw new Error(`A message has neither the form ${form} nor other.`);
  return text;
}

/** Of an area, what says its messages. It can be made before the words are there, and used once they are. */
export function words<Key extends string = string>(area: string): Say<Key> {
  return (key, values = {}) => {
    const message = catalogues.get(area)?.[key];
    if (message === undefined) throw new Error(`The words of ${area} have no ${key}, or are not loaded yet.`);
    return fill(message, values, locale);
  };
}
