/** Whether the server has a newer page than this one, whose later parts are then gone: only to load it anew helps. */
export async function isRenewed(): Promise<boolean> {
  const own = document.querySelector<HTMLScriptElement>('script[type="module"][src]')?.src.split('/').at(-1);
  const page = own && (await fetch(location.pathname, { cache: 'no-store' }).catch(() => null));
  return Boolean(page && page.ok && own && !(await page.text()).includes(own));
}
