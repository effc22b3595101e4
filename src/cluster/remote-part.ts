import type { Rpc } from './ports.ts';

export interface RemotePartOptions<Port> {
  /** For each call, in milliseconds. */
  readonly timeoutMs?: number;
  /** Functions that may be called twice for once, see `CallOptions`. */
  readonly repeatable?: readonly (keyof Port & string)[];
}

/**
 * A port whose functions run in the housekeeping process: `remotePart<AccountWrites>(rpc, 'accounts').addGrant(g)`
 * calls `accounts.addGrant`. Every function of the port must return a promise, and take and give JSON values.
 */
export function remotePart<Port extends object>(
  rpc: Rpc,
  part: string,
  { timeoutMs, repeatable = [] }: RemotePartOptions<Port> = {},
): Port {
  const repeated = new Set<string>(repeatable);
  const functions = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  const target = Object.create(null);
  return new Proxy<Port>(target, {
    get(_target, member) {
      // With a `then` the part would count as a promise and be called by `await`.
      if (typeof member !== 'string' || member === 'then' || member === 'toJSON') return undefined;
      const known = functions.get(member);
      if (known) return known;
      const callOptions = {
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        isRepeatable: repeated.has(member),
      };
      const remote = (...args: unknown[]): Promise<unknown> =>
        rpc.call(`${part}.${member}`, args, callOptions);
      functions.set(member, remote);
      return remote;
    },
  });
}
