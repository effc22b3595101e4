const V2_KEYWORDS: readonly (readonly [RegExp, string])[] = [
  [/\/manifests\/[^/]+$/, 'manifests'],
  [/\/blobs\/uploads(?:\/[^/]*)?$/, 'uploads'],
  [/\/blobs\/[^/]+$/, 'blobs'],
  [/\/tags\/list$/, 'tags'],
  [/\/referrers\/[^/]+$/, 'referrers'],
  [/^\/v2\/_catalog$/, 'catalog'],
  [/^\/v2\/$/, 'base'],
];

/** The kind of a request's route, for a label: one of a dozen words, never a part of the URL. */
export function routeKind(url: string): string {
  const path = url.split('?', 1)[0] ?? '';
  if (path.startsWith('/v2/')) return V2_KEYWORDS.find(([pattern]) => pattern.test(path))?.[1] ?? 'other';
  if (path === '/token') return 'token';
  return path.startsWith('/api/') ? 'api' : 'other';
}
