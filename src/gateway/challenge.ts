/**
 * The header with which a client learns where to get a token.
 *
 * @param scope what the request needs; absent on `/v2/` itself.
 * @param error `invalid_token` or `insufficient_scope` after a token was shown.
 * @see distribution docs/content/spec/auth/token.md, "How to authenticate"; RFC 6750, 3.
 */
export function challenge(
  baseUrl: string,
  service: string,
  scope?: string,
  error?: 'invalid_token' | 'insufficient_scope',
): Readonly<Record<string, string>> {
  const parameters = [`realm="${baseUrl}/token"`, `service="${service}"`];
  if (scope !== undefined) parameters.push(`scope="${scope}"`);
  if (error !== undefined) parameters.push(`error="${error}"`);
  return { 'www-authenticate': `Bearer ${parameters.join(',')}` };
}
