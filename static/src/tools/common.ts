/** What several tools do alike: saving files, copying text, telling what went wrong. */
import { h } from '../dom';

/** How long a file of the page can be fetched: some browsers ask where to before they do. */
const KEPT = 60_000;

/** What went wrong, in words. */
export const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Has the browser save what is at an address; without a name, under that which the server gives. */
export function save(address: string, name = ''): void {
  const link = h('a', { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

export function saveBlob(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  save(address, name);
  setTimeout(() => URL.revokeObjectURL(address), KEPT);
}

/** Whether text was copied: without HTTPS, and where the user forbids it, there is no clipboard. */
export const copyText = async (text: string): Promise<boolean> =>
  (await navigator.clipboard?.writeText(text).then(() => true, () => false)) ?? false;
