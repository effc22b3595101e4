import type { Repository } from '../oci/index.ts';

/**
 * What can be done. The first group is on a repository; the second is on the whole installation and is given only
 * by a grant on the pattern `**`.
 */
export const REPOSITORY_ACTIONS = [
  'pull',
  'list',
  'push',
  'tag.create',
  'tag.overwrite',
  'referrers.push',
  'delete',
  'scan',
  'waive',
  'verdict.read',
  'quarantine.read',
  'roles.manage',
] as const;
export const SYSTEM_ACTIONS = ['audit.read', 'policy.manage', 'users.manage', 'system'] as const;

export type RepositoryAction = (typeof REPOSITORY_ACTIONS)[number];
export type SystemAction = (typeof SYSTEM_ACTIONS)[number];
export type Action = RepositoryAction | SystemAction;

/** Who was proved. `local` is whoever may open the server's own Unix socket (root on the host). */
export interface Principal {
  readonly kind: 'user' | 'robot' | 'anonymous' | 'local';
  /** Never reused, unlike the name. `''` for anonymous. */
  readonly id: string;
  readonly name: string;
}

export interface Role {
  readonly name: string;
  readonly actions: readonly Action[];
  readonly isBuiltIn: boolean;
  /** What it gives counts only for users whose second factor is on. */
  readonly needsSecondFactor?: boolean;
}

/** To whom a grant gives its role. */
export interface GrantSubject {
  readonly kind: 'user' | 'group' | 'robot' | 'anonymous';
  readonly id: string;
  readonly name: string;
}

/** A role on a repository pattern. `deny` grants win over all others. */
export interface Grant {
  readonly id: string;
  readonly role: string;
  /** The role's actions when the grant was read. */
  readonly actions: readonly Action[];
  /** `team/**`, `team/*`, `**`; `!lab/**` after a comma excludes: `**,!lab/**`. */
  readonly pattern: string;
  readonly subject: GrantSubject;
  readonly effect: 'allow' | 'deny';
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** When it was given; absent for what was given before this was kept. */
  readonly createdAtMs?: number;
  /** Name of who gave it under its own rights: then `actions` hold no more than it could give. */
  readonly givenBy?: string;
}

/** A part of somebody's rights, as a personal access token carries it: actions on a repository pattern. */
export interface Allowance {
  readonly actions: readonly Action[];
  /** As of a grant. */
  readonly pattern: string;
}

/** What a token asks: `repository:team/app:pull,push`. @see distribution docs/content/spec/auth/scope.md */
export interface Scope {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

export interface AuthorizeRequest {
  readonly principal: Principal;
  /** Every grant of the principal and of its groups, as they are now. */
  readonly grants: readonly Grant[];
  /** The token's scopes; `undefined` where no token limits the caller (Basic on /v2, the API). */
  readonly scopes: readonly Scope[] | undefined;
  readonly action: Action;
  /** `undefined` for system actions. */
  readonly repository: Repository | undefined;
  readonly nowMs: number;
}

export type Authorization =
  | { readonly isAllowed: true; readonly because: Grant | 'local' }
  | {
      readonly isAllowed: false;
      /** `scope`: the grants would allow it, the token does not hold it. `grant`: no grant gives it. */
      readonly lacks: 'scope' | 'grant' | 'denied';
      readonly because?: Grant;
    };
