import type { Directory } from '../auth/index.ts';
import { type Refusal, type Repository, refuse } from '../oci/index.ts';
import type { Authorization, RepositoryAction } from '../roles/index.ts';
import type { Call } from './call.ts';
import { challenge } from './challenge.ts';

export interface Checked {
  readonly isAllowed: boolean;
  /** Grant that allowed or denied, for the record. */
  readonly because?: string;
  /** For the record: `grant.missing`, `scope.missing`, `sign-in.needed`. */
  readonly reason?: string;
  readonly refusal?: Refusal;
}

export interface AccessOptions {
  readonly service: string;
  /** What a client must put into the scope that it asks a new token for: `pull,push`. */
  readonly scopeActions: string;
  /** A repository that the request reads as well (a mount's source), so that one token serves for both. */
  readonly pullsFrom?: Repository | undefined;
}

/**
 * Whether the caller may do all of `actions` here, by live grants and the token's scope.
 *
 * The refusal is the same whether the repository exists or not: 401 with a challenge where the caller can ask again
 * (no credential, or a token that lacks a scope that the grants would give), else 403.
 *
 */
export async function checkAccess(
  directory: Pick<Directory, 'can'>,
  call: Pick<Call, 'identity' | 'baseUrl'>,
  repository: Repository,
  actions: readonly RepositoryAction[],
  options: AccessOptions,
): Promise<Checked> {
  let because: string | undefined;
  for (const action of actions) {
    const answer = await directory.can(call.identity, action, repository);
    if (!answer.isAllowed) return refusedBy(answer, call, repository, action, options);
    because ??= printBecause(answer);
  }
  return { isAllowed: true, ...(because ? { because } : {}) };
}

function refusedBy(
  answer: Authorization & { isAllowed: false },
  call: Pick<Call, 'identity' | 'baseUrl'>,
  repository: Repository,
  action: RepositoryAction,
  options: AccessOptions,
): Checked {
  const because = answer.because ? { because: `grant ${answer.because.id}` } : {};
  const second = options.pullsFrom === undefined ? '' : ` repository:${options.pullsFrom}:pull`;
  const scope = `repository:${repository}:${options.scopeActions}${second}`;
  if (call.identity.via === 'anonymous') {
    const headers = challenge(call.baseUrl, options.service, scope);
    const refusal = refuse('UNAUTHORIZED', 'dockgate: sign in first (docker login, podman login)', {
      headers,
    });
    return { isAllowed: false, reason: 'sign-in.needed', refusal, ...because };
  }
  if (answer.lacks === 'scope') {
    const headers = challenge(call.baseUrl, options.service, scope, 'insufficient_scope');
    const message = `dockgate: the token does not hold ${action} on ${repository}: ask for a new one`;
    return {
      isAllowed: false,
      reason: 'scope.missing',
      refusal: refuse('UNAUTHORIZED', message, { headers }),
      ...because,
    };
  }
  // An anonymous token is a way to ask again, too: with a sign-in.
  if (call.identity.principal.kind === 'anonymous') {
    const headers = challenge(call.baseUrl, options.service, scope, 'insufficient_scope');
    const message = `dockgate: ${action} on ${repository} needs a sign-in (docker login, podman login)`;
    return {
      isAllowed: false,
      reason: 'sign-in.needed',
      refusal: refuse('UNAUTHORIZED', message, { headers }),
      ...because,
    };
  }
  const message =
    answer.lacks === 'denied'
      ? `dockgate: ${call.identity.principal.name} is denied ${action} on ${repository} by a grant; ask an admin`
      : `dockgate: ${call.identity.principal.name} has no grant for ${action} on ${repository}; ask an admin or maintainer`;
  return {
    isAllowed: false,
    reason: `grant.${answer.lacks === 'denied' ? 'denied' : 'missing'}`,
    refusal: refuse('DENIED', message),
    ...because,
  };
}

function printBecause(answer: Authorization & { isAllowed: true }): string {
  return answer.because === 'local'
    ? 'local'
    : `grant ${answer.because.id} ${answer.because.role} on ${answer.because.pattern}`;
}
