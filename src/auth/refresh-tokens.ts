import { type Clock, DAY_MS, type Logger, newId, type Random } from '../base/index.ts';
import type { LastUse } from './credential-ports.ts';
import type { Directory } from './directory.ts';
import type { Identity } from './identity.ts';
import { createTouch } from './last-use.ts';
import type { Account, AccountReads, AccountWrites, RefreshToken } from './ports.ts';
import {
  hashSecret,
  isSecretOf,
  newRefreshSecret,
  parseRefreshSecret,
  printRefreshSecret,
} from './secrets.ts';

export interface RefreshTokensOptions {
  /** After so long without use a token is dead. */
  readonly unusedMsMax: number;
}

export interface RefreshTokensParts {
  readonly reads: Pick<AccountReads, 'findRefreshToken' | 'findAccountById'>;
  readonly writes: Pick<AccountWrites, 'addRefreshToken' | 'touchRefreshToken'>;
  readonly directory: Pick<Directory, 'isLive'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export type RefreshCause = 'malformed' | 'unknown' | 'secret' | 'service' | 'unused' | 'old' | 'revoked';

export type RefreshCheck =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly cause: RefreshCause; readonly tokenId?: string };

/**
 * Tokens that clients keep to get new access tokens: random, usable any number of times (docker keeps one for
 * ever), by one account for one service. Rights are not in them; they are looked up at each use.
 */
export interface RefreshTokens {
  issue(token: {
    readonly principal: Identity['principal'];
    readonly service: string;
    /** Kept for the list only: docker signs in, and containerd or podman then use what it stored. */
    readonly clientId: string;
  }): Promise<{ readonly token: string; readonly tokenId: string }>;
  check(token: {
    readonly token: string;
    readonly service: string;
    /** Where from, as `sourceOf` gives it. */
    readonly source: string;
    /** Longest time since it was issued; none unless said. */
    readonly ageMsMax?: number;
  }): Promise<RefreshCheck>;
}

export const DEFAULT_REFRESH_OPTIONS: RefreshTokensOptions = { unusedMsMax: 90 * DAY_MS };

export function createRefreshTokens(options: RefreshTokensOptions, parts: RefreshTokensParts): RefreshTokens {
  const { reads, writes, directory, clock, random } = parts;
  const touch = createTouch(parts);

  async function findOwner(kept: RefreshToken): Promise<Account | undefined> {
    const account = await reads.findAccountById(kept.accountId);
    if (!account) return undefined;
    return (await directory.isLive(account, kept.createdAtMs)) ? account : undefined;
  }

  return {
    async issue({ principal, service, clientId }) {
      const secret = newRefreshSecret(newId(random), random);
      const nowMs = clock.nowMs();
      await writes.addRefreshToken({
        id: secret.id,
        accountId: principal.id,
        service,
        clientId,
        secretHash: hashSecret(secret.secret),
        createdAtMs: nowMs,
        lastUsedAtMs: nowMs,
      });
      return { token: printRefreshSecret(secret), tokenId: secret.id };
    },
    async check({ token, service, source, ageMsMax = Number.POSITIVE_INFINITY }) {
      const provedAtMs = clock.nowMs();
      const shown = parseRefreshSecret(token);
      if (!shown) return { ok: false, cause: 'malformed' };
      const kept = await reads.findRefreshToken(shown.id);
      if (!kept) return { ok: false, cause: 'unknown' };
      const refused = (cause: RefreshCause): RefreshCheck => ({ ok: false, cause, tokenId: kept.id });
      if (!isSecretOf(shown.secret, kept.secretHash)) return refused('secret');
      if (kept.service !== service) return refused('service');
      if (clock.nowMs() - kept.lastUsedAtMs >= options.unusedMsMax) return refused('unused');
      if (clock.nowMs() - kept.createdAtMs >= ageMsMax) return refused('old');
      const owner = await findOwner(kept);
      if (!owner) return refused('revoked');
      touch({ id: kept.id, lastUse: lastUseOf(kept) }, source, writes.touchRefreshToken);
      const { kind, id, name } = owner;
      return {
        ok: true,
        identity: {
          principal: { kind, id, name },
          via: 'refresh-token',
          tokenId: kept.id,
          provedAtMs,
          scopes: undefined,
        },
      };
    },
  };
}

function lastUseOf({ lastUsedAtMs, lastUsedFrom }: RefreshToken): LastUse {
  return { atMs: lastUsedAtMs, from: lastUsedFrom ?? '' };
}
