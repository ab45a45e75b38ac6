/** The frame of the page: folding the panel, choosing the language. */
import { h, icon } from '../dom';
import { language, LANGUAGES, switchLanguage, type Language } from '../language';
import type { Store } from '../store';
import { t } from '../words/shell';

export function languageMenu(root: HTMLElement): void {
  const options = Object.entries(LANGUAGES).map(([id, name]) => h('option', { value: id, lang: id, selected: id === language }, name));
  const menu = h('select', { 'aria-label': t('language'), change: () => switchLanguage(menu.value as Language) }, ...options);
  root.append(menu);
}

/** The first button of the toolbar: takes the panel away and brings it back. */
export function foldButton(bar: HTMLElement, store: Store): void {
  const toggle = (): void => store.update({ folded: !store.state.folded });
  const button = h('button', { type: 'button', id: 'fold', 'aria-controls': 'panel', click: toggle }, icon('M3 5h14M3 10h14M3 15h14'));
  bar.prepend(button);
  store.watch(['folded'], ({ folded }) => {
    const label = folded ? t('show-panel') : t('fold-panel');
    button.setAttribute('aria-expanded', String(!folded));
    button.setAttribute('aria-label', label);
    button.title = label;
    document.documentElement.classList.toggle('folded', folded);
  });
}
