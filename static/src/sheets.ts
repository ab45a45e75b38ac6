/** Style that comes with a chunk: `import css from './compare.css'` gives its text. */

export function addSheet(css: string): void {
  const style = document.createElement('style');
  style.textContent = css;
  document.head.append(style);
}
