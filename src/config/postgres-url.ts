/** `postgres://user@host[:port]/database`: without password, which has keys of its own, and without options. */
export function isPostgresUrl(text: string): boolean {
  const url = isPostgres(text) && URL.canParse(text) ? new URL(text) : undefined;
  return (
    url !== undefined &&
    url.hostname !== '' &&
    url.username !== '' &&
    url.password === '' &&
    /^\/[^/]+$/.test(url.pathname) &&
    url.search === '' &&
    url.hash === ''
  );
}

export function isPostgres(url: string | undefined): boolean {
  return url !== undefined && /^postgres(?:ql)?:\/\//.test(url);
}
