/**
 * Cookies of the sign-in pages. `__Host-`: set by this very host over TLS for all of it, so that no neighbour and no
 * plain HTTP can plant one. Lax: they come with a link from a provider, not with what a page of somebody else posts.
 */
export type CookieName = '__Host-dockgate-session' | '__Host-dockgate-flow' | '__Host-dockgate-form';

/** No script reads one, nothing but TLS carries one. @see RFC 6265bis chapter 4.1 */
const FLAGS = 'Path=/; Secure; HttpOnly; SameSite=Lax';

/** @param seconds how long the browser keeps it; unless said, until it is closed. */
export function printCookie(name: CookieName, value: string, seconds?: number): string {
  const age = seconds === undefined ? '' : `; Max-Age=${seconds}`;
  return `${name}=${value}; ${FLAGS}${age}`;
}

export function dropCookie(name: CookieName): string {
  return printCookie(name, '', 0);
}

/** @returns `undefined` when there is none, or more than one: which of them is ours nobody could say. */
export function readCookie(header: string | undefined, name: CookieName): string | undefined {
  const values = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? values[0] : undefined;
}
