import type { Attempts } from '../auth/index.ts';
import { type Clock, SECOND_MS } from '../base/index.ts';
import { type AttemptCounter, type AttemptOptions, createAttemptCounter } from '../limits/index.ts';
import type { Rpc } from './ports.ts';
import { remotePart } from './remote-part.ts';

/** A sign-in waits no longer than this for the common count; a password hash alone takes a tenth of it. */
const TIMEOUT_MS = SECOND_MS;

/** The count of the node, kept in the housekeeping process and offered to workers as `attempts`. */
export function createAttempts(options: AttemptOptions, parts: { readonly clock: Clock }): Attempts {
  return asAttempts(createAttemptCounter(options, parts));
}

/**
 * The count of the node as a worker sees it. Every wrong password is counted here as well: when the housekeeping
 * process does not answer, this count decides, and guessing gets no new beginning by that.
 */
export function createRemoteAttempts(
  rpc: Rpc,
  options: AttemptOptions,
  parts: { readonly clock: Clock },
): Attempts {
  const local = createAttempts(options, parts);
  const remote = remotePart<Attempts>(rpc, 'attempts', { timeoutMs: TIMEOUT_MS });
  return {
    async delayMs(account, source) {
      try {
        return await remote.delayMs(account, source);
      } catch {
        // The other side is away: what this process counted itself decides.
        return local.delayMs(account, source);
      }
    },
    async failed(account, source) {
      await local.failed(account, source);
      await ignoringFaults(remote.failed(account, source));
    },
    async succeeded(account, source) {
      await local.succeeded(account, source);
      await ignoringFaults(remote.succeeded(account, source));
    },
  };
}

function asAttempts(counter: AttemptCounter): Attempts {
  return {
    delayMs: async (account, source) => counter.delayMs(account, source),
    failed: async (account, source) => counter.failed(account, source),
    succeeded: async (account, source) => counter.succeeded(account, source),
  };
}

/** It is counted in this process; the common count is the better one, not the only one. */
async function ignoringFaults(call: Promise<void>): Promise<void> {
  await call.catch(() => {});
}
