import { type Clock, type Logger, MINUTE_MS } from '../base/index.ts';
import type { LastUse } from './credential-ports.ts';

/** The last use is written so often at most: every pull of every client would else be a write. */
const TOUCH_EVERY_MS = 5 * MINUTE_MS;

/** Notes that a credential is used now. */
export type Touch = (
  credential: { readonly id: string; readonly lastUse?: LastUse | undefined },
  from: string,
  write: (id: string, use: LastUse) => Promise<void>,
) => void;

export function createTouch({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }): Touch {
  return ({ id, lastUse }, from, write) => {
    const atMs = clock.nowMs();
    if (lastUse !== undefined && atMs - lastUse.atMs < TOUCH_EVERY_MS) return;
    // Not waited for: when the last use cannot be written, the credential only looks older than it is.
    write(id, { atMs, from }).catch((cause: unknown) => {
      logger.warn('the last use of a credential could not be written', {
        tokenId: id,
        cause: cause instanceof Error ? cause.message : String(cause),
      });
    });
  };
}
