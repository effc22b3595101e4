import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
} from 'cockatiel';
import type { Logger } from '../base/index.ts';
import { UpstreamUnavailable, upstreamAway } from './faults.ts';

export interface CircuitOptions {
  /** Questions without an answer, one after the other, after which the upstream is left alone. */
  readonly failuresMax: number;
  /** How long at first; twice as long each time it still does not answer, up to `waitMsMax`. */
  readonly waitMs: number;
  readonly waitMsMax: number;
}

/** Leaves an upstream alone that does not answer: callers hear so at once instead of after a timeout. */
export interface Circuit {
  /** @throws {UpstreamUnavailable} what `ask` throws, or that nobody is asked now. */
  run<T>(ask: () => Promise<T>): Promise<T>;
}

/**
 * Only silence counts: no connection, or no answer in time. A status never does, since a caller can provoke a 500
 * (threats, chapter 0.9) and would shut the upstream for all. One question goes through when the wait is over; the
 * others wait for how that one ends.
 */
export function createCircuit(options: CircuitOptions, logger: Logger, upstream: string): Circuit {
  const { failuresMax, waitMs, waitMsMax } = options;
  const policy = circuitBreaker(handleWhen(isSilence), {
    breaker: new ConsecutiveBreaker(failuresMax),
    halfOpenAfter: new ExponentialBackoff({ initialDelay: waitMs, maxDelay: waitMsMax }),
  });
  policy.onBreak(() =>
    logger.warn('the upstream does not answer and is left alone for a moment', { upstream }),
  );
  policy.onReset(() => logger.info('the upstream answers again', { upstream }));
  return {
    async run(ask) {
      try {
        return await policy.execute(ask);
      } catch (error) {
        if (error instanceof BrokenCircuitError)
          throw upstreamAway('did not answer and is left alone', error);
        throw error;
      }
    },
  };
}

function isSilence(error: Error): boolean {
  return error instanceof UpstreamUnavailable && error.code === 'DG_UPSTREAM_UNAVAILABLE';
}
