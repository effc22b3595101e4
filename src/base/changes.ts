/**
 * What can change under a running process. `access`: principals, groups, roles, grants, credentials.
 * `policies`: policies and waivers. `facts`: what scanners found, keyed by digest. `links`: which repository
 * holds what, keyed by repository. `keys`: token keys.
 */
export type Topic = 'access' | 'policies' | 'facts' | 'links' | 'keys';

export interface Change {
  readonly topic: Topic;
  /** What changed (a digest, a repository, a principal's id); absent: anything of the topic may have. */
  readonly key?: string;
}

/**
 * Port: tells a process that something it may hold in memory is no longer true. Implemented by `cluster/`.
 * A handler must have dropped what it holds when it returns: the change is acknowledged right after.
 */
export interface Changes {
  /** @returns the call that ends the subscription. */
  onChange(handler: (change: Change) => void): () => void;
  /**
   * Emptied caches: called when the channel may have lost a change (a gap in the sequence, silence).
   * @returns the call that ends the subscription.
   */
  onLost(handler: () => void): () => void;
  /** Longest life in milliseconds of what may be cached now; `Infinity` while the channel is whole. */
  lifetimeMsMax(): number;
}

/**
 * Changes of a process on its own: handlers run at once, in order. All of them run, whatever one throws; the first
 * error is thrown then, so that nothing is acknowledged that was not dropped.
 */
export interface LocalChanges extends Changes {
  publish(change: Change): void;
  lose(): void;
}

export function createLocalChanges(): LocalChanges {
  const handlers = new Set<(change: Change) => void>();
  const lostHandlers = new Set<() => void>();
  return {
    onChange(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    onLost(handler) {
      lostHandlers.add(handler);
      return () => lostHandlers.delete(handler);
    },
    lifetimeMsMax: () => Number.POSITIVE_INFINITY,
    publish: (change) => runAll([...handlers].map((handler) => () => handler(change))),
    lose: () => runAll([...lostHandlers]),
  };
}

function runAll(calls: readonly (() => void)[]): void {
  const errors: unknown[] = [];
  for (const call of calls) {
    try {
      call();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
