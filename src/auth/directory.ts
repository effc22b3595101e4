import { LRUCache } from 'lru-cache';
import { type Changes, type Clock, createSingleFlight } from '../base/index.ts';
import type { Repository } from '../oci/index.ts';
import {
  type Action,
  type Authorization,
  allowsAction,
  authorize,
  grantScopes,
  narrowScopes,
  type Principal,
  type Scope,
} from '../roles/index.ts';
import type { LiveToken } from './credential-ports.ts';
import type { Identity } from './identity.ts';
import type { Access, AccountReads } from './ports.ts';

export interface DirectoryOptions {
  /** Principals whose access is held in memory. */
  readonly entriesMax: number;
}

export interface DirectoryParts {
  readonly accounts: Pick<AccountReads, 'readAccess'>;
  readonly changes: Changes;
  readonly clock: Clock;
}

/** What principals may do now. Answers from memory; a change empties it before whoever made the change is answered. */
export interface Directory {
  /** Access of nobody (not active, no grants) for a principal that does not exist any more. */
  accessOf(principal: Pick<Principal, 'kind' | 'id'>): Promise<Access>;
  /**
   * Whether the principal is there and active, and what it was given at `sinceMs` (a token) still counts. Without
   * `sinceMs`: it shows its own password or secret now.
   *
   * @param personalTokenId the personal token that it came by, which must still be there and not over.
   */
  isLive(
    principal: Pick<Principal, 'kind' | 'id'>,
    sinceMs?: number,
    personalTokenId?: string,
  ): Promise<boolean>;
  /** Whether the session was not ended by itself; with its account it ends as everything of that. */
  isSessionLive(principal: Pick<Principal, 'kind' | 'id'>, sessionId: string): Promise<boolean>;
  /** Live grants ∩ the token's scopes. `repository` is `undefined` for system actions. */
  can(identity: Identity, action: Action, repository: Repository | undefined): Promise<Authorization>;
  /** What a new token may hold of `requested`. A token never gives another token, so for one it is nothing. */
  scopesFor(identity: Identity, requested: readonly Scope[]): Promise<readonly Scope[]>;
  /**
   * For the catalog, whose token names no repository: which ones the grants let the caller list. Check
   * `holdsCatalog(identity.scopes)` first.
   */
  visibleTo(identity: Identity): Promise<(repository: Repository) => boolean>;
  close(): void;
}

interface Held {
  readonly access: Access;
  readonly readAtMs: number;
}

/** What an identity may do now: its grants, and the part of them that its personal token carries. */
interface Limited extends Pick<Access, 'grants'> {
  readonly allows?: LiveToken['allows'];
}

/** No channel is trusted for longer than this: a change that went astray cannot matter for ever. */
const HELD_MS_MAX = 60_000;
const NOBODY: Access = { isActive: false, notBeforeMs: 0, grants: [] };
const LOCAL: Access = { isActive: true, notBeforeMs: 0, grants: [] };

export function createDirectory(options: DirectoryOptions, parts: DirectoryParts): Directory {
  const { accounts, changes, clock } = parts;
  const held = new LRUCache<string, Held>({ max: options.entriesMax });
  const singleFlight = createSingleFlight<Access>();
  let epoch = 0;

  function drop(id: string | undefined): void {
    // A reading that began before the change may not be kept, nor shared with whoever asks after it.
    epoch += 1;
    const places = id === undefined ? [] : [`user:${id}`, `robot:${id}`].filter((place) => held.has(place));
    // An id that is not held may be a group's, whose members we do not know here.
    if (places.length === 0) held.clear();
    for (const place of places) held.delete(place);
  }

  async function read(place: string, principal: Pick<Principal, 'kind' | 'id'>): Promise<Access> {
    const readInEpoch = epoch;
    const readAtMs = clock.monotonicMs();
    const access = (await accounts.readAccess(principal)) ?? NOBODY;
    if (readInEpoch === epoch) held.set(place, { access, readAtMs });
    return access;
  }

  async function accessOf(principal: Pick<Principal, 'kind' | 'id'>): Promise<Access> {
    if (principal.kind === 'local') return LOCAL;
    const place = `${principal.kind}:${principal.id}`;
    const known = held.get(place);
    const lifeMs = Math.min(HELD_MS_MAX, changes.lifetimeMsMax());
    if (known && clock.monotonicMs() - known.readAtMs < lifeMs) return known.access;
    return singleFlight(`${epoch} ${place}`, () => read(place, principal));
  }

  /** The grants of whoever is not active are none. */
  async function liveAccess({ principal, personalTokenId }: Identity): Promise<Limited> {
    const access = await accessOf(principal);
    if (!isActive(access, clock.nowMs())) return NOBODY;
    if (personalTokenId === undefined) return access;
    const token = liveToken(access, personalTokenId, clock.nowMs());
    return token ? { grants: access.grants, allows: token.allows } : NOBODY;
  }

  const stops = [
    changes.onChange((change) => {
      if (change.topic === 'access') drop(change.key);
    }),
    changes.onLost(() => drop(undefined)),
  ];

  return {
    accessOf,
    async isLive(principal, sinceMs = Number.POSITIVE_INFINITY, personalTokenId) {
      if (principal.kind === 'anonymous' || principal.kind === 'local') return true;
      const access = await accessOf(principal);
      const nowMs = clock.nowMs();
      const isOfNow = isActive(access, nowMs) && sinceMs >= access.notBeforeMs;
      if (!isOfNow) return false;
      return personalTokenId === undefined || liveToken(access, personalTokenId, nowMs) !== undefined;
    },
    async isSessionLive(principal, sessionId) {
      const { endedSessions = [] } = await accessOf(principal);
      return !endedSessions.includes(sessionId);
    },
    async can(identity, action, repository) {
      const { principal, scopes } = identity;
      if (identity.onlyImage !== undefined && action !== 'pull') return { isAllowed: false, lacks: 'scope' };
      const { grants, allows } = await liveAccess(identity);
      // Before the grants are looked at: what the token lacks is refused as what nobody granted.
      if (allows && !allowsAction(allows, action, repository)) return { isAllowed: false, lacks: 'grant' };
      return authorize({ principal, grants, scopes, action, repository, nowMs: clock.nowMs() });
    },
    async scopesFor(identity, requested) {
      if (identity.scopes !== undefined) return [];
      const { principal } = identity;
      const { grants, allows } = await liveAccess(identity);
      const scopes = grantScopes({ principal, requested, grants, nowMs: clock.nowMs() });
      return allows ? narrowScopes(scopes, allows) : scopes;
    },
    async visibleTo(identity) {
      const { principal } = identity;
      const { grants, allows } = await liveAccess(identity);
      const ask = { principal, grants, scopes: undefined, action: 'list' as const, nowMs: clock.nowMs() };
      return (repository) =>
        (allows === undefined || allowsAction(allows, 'list', repository)) &&
        authorize({ ...ask, repository }).isAllowed;
    },
    close() {
      for (const stop of stops) stop();
    },
  };
}

function liveToken(access: Access, id: string, nowMs: number): LiveToken | undefined {
  return access.tokens?.find((token) => token.id === id && nowMs < token.expiresAtMs);
}

function isActive(access: Access, nowMs: number): boolean {
  return access.isActive && (access.expiresAtMs === undefined || nowMs < access.expiresAtMs);
}
