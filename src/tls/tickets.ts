import type { Server } from 'node:tls';
import type { Clock, Random } from '../base/index.ts';
import { type TicketKey, ticketKey, ticketPeriodsAt } from './ticket-keys.ts';

export interface Tickets {
  /**
   * Lets sessions that began in any process with the same secret be taken up by this server, across changes of the key.
   * Must be called again after each `setSecureContext`, which begins with keys of its own.
   *
   * @param bound what a client's certificate is judged by from now on.
   */
  serve(server: Server, bound: string): void;
}

type Answer =
  | readonly [status: number, hmac: Buffer, aes: Buffer]
  | readonly [status: number, hmac: Buffer, aes: Buffer, name: Buffer, iv: Buffer];

/**
 * What Node gives no documented name: its `setTicketKeys` knows one key, so that at each change of it every client would
 * shake hands anew. The Node that runs us is pinned, and a test says when this is gone.
 */
interface NativeContext {
  enableTicketKeyCallback(): void;
  onticketkeycallback: (name: Buffer, iv: Buffer, isSealing: boolean) => Answer;
}

/** Node's words for "by this key" and "none of ours: shake hands". */
const TAKEN = 1;
const UNKNOWN = 0;
const IV_BYTES = 16;
/** Asked for even where there is no key. */
const NOTHING = Buffer.alloc(16);

/** @param options.secret the same in every process whose sessions are to be taken up by each other. */
export function createTickets(
  { secret }: { readonly secret: Uint8Array },
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Tickets {
  return {
    serve(server, bound) {
      const context = nativeContextOf(server);
      // Then its own keys go on, which node:cluster shares among the workers and nothing changes.
      if (!context) return;
      const keyOf = rememberingTwo((period) => ticketKey(secret, bound, period));
      context.onticketkeycallback = (name, _iv, isSealing) => {
        const periods = ticketPeriodsAt(clock.nowMs());
        if (isSealing) {
          const key = keyOf(periods[0]);
          return [TAKEN, key.hmac, key.aes, key.name, Buffer.from(random.bytes(IV_BYTES))];
        }
        const key = periods.map(keyOf).find((one) => one.name.equals(name));
        return key ? [TAKEN, key.hmac, key.aes] : [UNKNOWN, NOTHING, NOTHING];
      };
      context.enableTicketKeyCallback();
    },
  };
}

/** Each handshake asks, and a period is long: no more than this one and the one before are ever wanted. */
function rememberingTwo(derive: (period: number) => TicketKey): (period: number) => TicketKey {
  const known = new Map<number, TicketKey>();
  return (period) => {
    const found = known.get(period);
    if (found) return found;
    for (const other of known.keys()) if (Math.abs(other - period) > 1) known.delete(other);
    const key = derive(period);
    known.set(period, key);
    return key;
  };
}

function nativeContextOf(server: Server): NativeContext | undefined {
  const credentials: unknown = Reflect.get(server, '_sharedCreds');
  const context: unknown = Reflect.get(Object(credentials), 'context');
  return isNativeContext(context) ? context : undefined;
}

function isNativeContext(value: unknown): value is NativeContext {
  return typeof Reflect.get(Object(value), 'enableTicketKeyCallback') === 'function';
}
