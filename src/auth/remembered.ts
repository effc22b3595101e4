import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Changes, type Clock, MINUTE_MS, type Random } from '../base/index.ts';
import type { Principal } from '../roles/index.ts';

/** A password that was right a moment ago. */
export interface Remembered {
  readonly principal: Principal;
  /** The account's, when the password was checked; it rises with every new password. */
  readonly notBeforeMs: number;
}

/** Verified passwords of the last minutes: clients that send Basic on every request would else cost a hash each. */
export interface RememberedPasswords {
  /** Stands for name and password; says nothing about them to whoever reads our memory. */
  keyOf(name: string, password: string): string;
  find(key: string): Remembered | undefined;
  remember(key: string, remembered: Remembered): void;
  close(): void;
}

const LIFE_MS = 5 * MINUTE_MS;
const ENTRIES_MAX = 10_000;

export function createRememberedPasswords(parts: {
  readonly changes: Changes;
  readonly clock: Clock;
  readonly random: Random;
}): RememberedPasswords {
  const { changes, clock } = parts;
  // Of this process alone and never written down: a copy of the entries is worth nothing without it.
  const hmacKey = parts.random.bytes(32);
  const entries = new LRUCache<string, Remembered & { readonly atMs: number }>({ max: ENTRIES_MAX });

  function forget(accountId: string | undefined): void {
    for (const [key, { principal }] of [...entries.entries()]) {
      if (accountId === undefined || principal.id === accountId) entries.delete(key);
    }
  }

  const stops = [
    changes.onChange((change) => {
      if (change.topic === 'access') forget(change.key);
    }),
    changes.onLost(() => forget(undefined)),
  ];

  return {
    keyOf: (name, password) =>
      createHmac('sha256', hmacKey)
        .update(JSON.stringify([name, password]))
        .digest('base64'),
    find(key) {
      const entry = entries.get(key);
      if (!entry || clock.monotonicMs() - entry.atMs >= Math.min(LIFE_MS, changes.lifetimeMsMax()))
        return undefined;
      return entry;
    },
    remember(key, remembered) {
      entries.set(key, { ...remembered, atMs: clock.monotonicMs() });
    },
    close() {
      for (const stop of stops) stop();
    },
  };
}
