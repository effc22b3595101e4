import { type AttemptOptions, DEFAULT_ATTEMPT_OPTIONS } from '../limits/index.ts';
import type { NodeConfig } from './node-config.ts';

/** The limits on guessing passwords: what the configuration says, over the defaults. */
export function attemptOptions({ signIn }: NodeConfig): AttemptOptions {
  return { ...DEFAULT_ATTEMPT_OPTIONS, freeCount: signIn.freeCount, delayMsMax: signIn.delayMsMax };
}
