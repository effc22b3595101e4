import { ApiProblem, type OperationContext } from './operation.ts';

/**
 * A session alone, which may be stolen, changes nothing about how its owner signs in: the password is asked for again
 * (and a code, where a second factor is on) and counted like any other try. A personal access token in its place is
 * none (C-06, ASVS 7.5.1).
 *
 * @throws {ApiProblem} wrong (403), or too many tries (429).
 */
export async function requirePassword(
  shown: { readonly password: string; readonly code?: string | undefined },
  { parts, identity, certificate }: OperationContext,
): Promise<void> {
  const { name, id } = identity.principal;
  const proved = await parts.authenticator.signIn({
    name,
    secret: shown.password,
    source: `own password of ${id}`,
    certificate,
    ...(shown.code === undefined ? {} : { code: shown.code }),
  });
  if (proved.ok && proved.identity.via === 'basic' && proved.identity.principal.id === id) return;
  if (!proved.ok && proved.refusal.status === 429) {
    const { message, headers } = proved.refusal;
    throw new ApiProblem(429, 'DG_TOO_MANY_SIGN_INS', message.replace(/^dockgate: /, ''), headers);
  }
  const message = 'the old password is not right, or the one-time code that belongs to it';
  throw new ApiProblem(403, 'DG_PASSWORD_WRONG', message);
}
