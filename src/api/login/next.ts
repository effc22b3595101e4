/** The page after a sign-in that asked for none. */
export const HOME = '/login';

/**
 * Where a browser goes after a sign-in: one of the pages that are listed here, never an address that came with the
 * request. Whatever else is asked for is the first of them.
 */
export function parseNext(text: string | undefined): string {
  return text === '/login/device' || (text !== undefined && isProgramPage(text)) ? text : HOME;
}

/** Its query is checked by the page itself. */
function isProgramPage(text: string): boolean {
  return /^\/login\/program\?[\w.~%=&:/-]{1,1000}$/.test(text);
}
