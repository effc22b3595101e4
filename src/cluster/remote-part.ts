import type { Rpc } from './ports.ts';

/**
 * A port whose functions run in the housekeeping process: `remotePart<AccountWrites>(rpc, 'accounts').addGrant(g)`
 * calls `accounts.addGrant`. Every function of the port must return a promise, and take and give JSON values.
 *
 * @param options.timeoutMs for each call, in milliseconds.
 */
export function remotePart<Port extends object>(
  rpc: Rpc,
  part: string,
  options: { readonly timeoutMs?: number } = {},
): Port {
  const functions = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  const target = Object.create(null);
  return new Proxy<Port>(target, {
    get(_target, member) {
      // With a `then` the part would count as a promise and be called by `await`.
      if (typeof member !== 'string' || member === 'then' || member === 'toJSON') return undefined;
      const known = functions.get(member);
      if (known) return known;
      const remote = (...args: unknown[]): Promise<unknown> => rpc.call(`${part}.${member}`, args, options);
      functions.set(member, remote);
      return remote;
    },
  });
}
