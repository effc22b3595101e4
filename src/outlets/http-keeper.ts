import type { Clock } from '../base/index.ts';
import { createPoster, type PostTarget } from './http-post.ts';
import { signatureHeaders } from './signature.ts';
import type { Keeper } from './witness.ts';

export interface HttpKeeperOptions extends PostTarget {
  /** Shared with the receiver; absent: bodies are not signed. The note is, in any case. */
  readonly secret?: string;
}

/** Posts `{"origin","size","checkpoint"}`; any 2xx says that it is kept. */
export function createHttpKeeper(options: HttpKeeperOptions, { clock }: { readonly clock: Clock }): Keeper {
  const poster = createPoster(options);
  return {
    async keep({ origin, size, note }, signal) {
      const body = JSON.stringify({ origin, size, checkpoint: note });
      const id = `${origin}-${size}`;
      const { secret } = options;
      const signed = secret === undefined ? {} : signatureHeaders({ id, atMs: clock.nowMs(), body }, secret);
      await poster.post(body, { 'content-type': 'application/json', ...signed }, signal);
    },
    close: () => poster.close(),
  };
}
