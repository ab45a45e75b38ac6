/** The language of the page: of the link, else as chosen before, else as the browser asks for. */

/** Every language that the page speaks, under its own name. */
export const LANGUAGES = { en: 'English', fr: 'Français', pt: 'Português', es: 'Español', ar: 'العربية' } as const;
export type Language = keyof typeof LANGUAGES;

const KEPT = 'comeo-language';
const RIGHT_TO_LEFT: readonly Language[] = ['ar'];

const known = (tag: string | null | undefined): Language | null => {
  const language = (tag ?? '').toLowerCase().split('-')[0] ?? '';
  return Object.hasOwn(LANGUAGES, language) ? (language as Language) : null;
};

/** The first wish, of tags as `pt-BR`, that is a language of the page; English where none is. */
export function chooseLanguage(wishes: readonly (string | null | undefined)[]): Language {
  return wishes.map(known).find((language) => language !== null) ?? 'en';
}

/** The tag to format dates and numbers by: the user's own country where it is one of the language. */
export function localeOf(language: Language, wishes: readonly string[]): string {
  return wishes.find((tag) => known(tag) === language) ?? language;
}

/** Storage may be forbidden, and there is none outside a browser: then nothing is kept. */
function kept(): string | null {
  try {
    return globalThis.localStorage?.getItem(KEPT) ?? null;
  } catch {
    return null;
  }
}

const asked = (): string | null => new URLSearchParams((globalThis.location?.hash ?? '').replace(/^#/, '')).get('lang');
const browser: readonly string[] = globalThis.navigator?.languages ?? [];

/** Whether the link names the language, so that it stays in the link. */
export const languageOfLink: Language | null = known(asked());
export const language: Language = chooseLanguage([asked(), kept(), ...browser]);
export const locale: string = localeOf(language, browser);
export const direction: 'ltr' | 'rtl' = RIGHT_TO_LEFT.includes(language) ? 'rtl' : 'ltr';

/** Keeps a choice and begins anew with it: everything else that the page shows is in its link. */
export function switchLanguage(choice: Language): void {
  try {
    localStorage.setItem(KEPT, choice);
  } catch {
    // not kept: the link has to say it
  }
  const parts = new URLSearchParams(location.hash.replace(/^#/, ''));
  if (kept() === choice) parts.delete('lang');
  else parts.set('lang', choice);
  history.replaceState(null, '', `#${parts.toString().replaceAll('%2F', '/')}`);
  location.reload();
}
