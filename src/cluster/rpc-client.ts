import { createConnection, type Socket } from 'node:net';
import { type Changes, type Clock, type Logger, SECOND_MS } from '../base/index.ts';
import { BROKEN_LIFETIME_MS, type ChangeFeed, createChangeFeed } from './change-feed.ts';
import { createFrameReader, encodeFrame } from './frames.ts';
import type { CallOptions, Rpc } from './ports.ts';
import { fromWireFault, isToClient, type ToClient, type ToServer, unavailable } from './wire.ts';

export interface RpcClientOptions {
  readonly socketPath: string;
  /** Milliseconds a call may take unless it says otherwise. */
  readonly timeoutMs?: number;
  /** Milliseconds a call waits for the line while that is being opened again. */
  readonly connectWaitMsMax?: number;
}

/** A worker's end of the line: calls, and the changes that others made. */
export interface RpcClient extends Rpc {
  readonly changes: Changes;
  /** Whether the line is open and the other side gives signs of life. */
  isConnected(): boolean;
  close(): void;
}

const TIMEOUT_MS = 10 * SECOND_MS;
const CONNECT_WAIT_MS_MAX = 2 * SECOND_MS;
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = SECOND_MS;
const WATCH_MS = 250;
const WELCOME_MS_MAX = 2 * SECOND_MS;
/** Calls under way; more means that the other side hangs, and waiting in memory would only hide it. */
const CALLS_COUNT_MAX = 5000;

/** What a broken line says to each call under way. */
class LineBroke extends Error {}

interface Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (fault: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Keeps a line open to the housekeeping process: tries again with growing pauses for as long as it is away. Until
 * the first welcome, and whenever the line is broken, `changes` counts as broken.
 */
export function connectRpc(
  options: RpcClientOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): RpcClient {
  const feed = createChangeFeed({ clock });
  const calls = new Map<number, Call>();
  const waiters = new Set<() => void>();
  /** The newest connection, and the same once it is welcome. */
  let opening: Socket | undefined;
  let socket: Socket | undefined;
  let lastId = 0;
  let retryMs = RETRY_MS_MIN;
  let retryTimer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let isOuterBroken = false;

  function connect(): void {
    const opened = createConnection(options.socketPath);
    opening = opened;
    opened.setTimeout(WELCOME_MS_MAX, () => opened.destroy());
    const read = createFrameReader((message) => {
      if (!isToClient(message)) throw new TypeError('the housekeeping process sent what is no message');
      if (!receive(opened, message)) throw new Error('a change was missed');
    });
    opened.on('data', (chunk) => {
      try {
        read(chunk);
      } catch (error) {
        logger.error('the line to the housekeeping process is broken', {}, error);
        opened.destroy();
      }
    });
    // Told of by 'close', which always follows.
    opened.on('error', (error) =>
      logger.debug('no line to the housekeeping process', { reason: error.message }),
    );
    opened.on('close', () => reopen(opened));
  }

  /** @returns false when the line cannot be trusted any more. */
  function receive(from: Socket, message: ToClient): boolean {
    if (message.type === 'answer') settle(message.id)?.resolve(message.value);
    else if (message.type === 'failure') settle(message.id)?.reject(fromWireFault(message.fault));
    else if (message.type === 'welcome') welcome(from, message);
    else if (message.type === 'beat') {
      isOuterBroken = message.isBroken === true;
      return feed.hear(message.seq);
    } else {
      if (!feed.receive(message.seq, message.changes)) return false;
      if (message.isLost) feed.begin(message.seq);
      const ack: ToServer = { type: 'ack', seq: message.seq };
      from.write(encodeFrame(ack));
    }
    return true;
  }

  function welcome(from: Socket, { seq, isBroken }: ToClient & { readonly type: 'welcome' }): void {
    socket = from;
    isOuterBroken = isBroken === true;
    // From here on silence is watched by the feed.
    from.setTimeout(0);
    retryMs = RETRY_MS_MIN;
    feed.begin(seq);
    for (const wake of waiters) wake();
  }

  function reopen(closed: Socket): void {
    if (socket === closed) {
      socket = undefined;
      feed.break();
      for (const id of [...calls.keys()]) settle(id)?.reject(new LineBroke());
    }
    if (isClosed) return;
    retryTimer = setTimeout(connect, retryMs);
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
  }

  function settle(id: number): Call | undefined {
    const call = calls.get(id);
    if (call) clearTimeout(call.timer);
    calls.delete(id);
    return call;
  }

  /** The open line, waited for while it is being opened again; `undefined` when it does not come in time. */
  async function line(waitMsMax: number): Promise<Socket | undefined> {
    if (!socket && !isClosed) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          waiters.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, waitMsMax);
        waiters.add(wake);
      });
    }
    return socket;
  }

  function timeoutOf(callOptions: CallOptions): number {
    return callOptions.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS;
  }

  /** @throws {LineBroke} whether it took effect is unknown. */
  async function callOnce(
    method: string,
    args: readonly unknown[],
    callOptions: CallOptions,
  ): Promise<unknown> {
    const timeoutMs = timeoutOf(callOptions);
    const opened = await line(Math.min(timeoutMs, options.connectWaitMsMax ?? CONNECT_WAIT_MS_MAX));
    if (!opened) throw unavailable('is away');
    if (calls.size >= CALLS_COUNT_MAX) throw unavailable('has too many calls waiting');
    const id = ++lastId;
    const frame = encodeFrame({ type: 'call', id, method, args } satisfies ToServer);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(id)?.reject(unavailable('did not answer in time')), timeoutMs);
      calls.set(id, { resolve, reject, timer });
      opened.write(frame);
    });
  }

  // A silent line is as bad as none: it is closed, and what waits for an answer is told.
  const watch = setInterval(() => {
    if (!socket || !feed.isSilent()) return;
    logger.warn(
      'the housekeeping process is silent; what is cached lives 2 s at most until it is heard again',
    );
    feed.break();
    socket.destroy();
  }, WATCH_MS);
  watch.unref();
  connect();

  return {
    changes: changesOf(feed, () => isOuterBroken),
    isConnected: () => socket !== undefined && feed.isWhole(),
    async call(method, args, callOptions = {}) {
      const endMs = clock.monotonicMs() + timeoutOf(callOptions);
      for (;;) {
        try {
          return await callOnce(method, args, callOptions);
        } catch (error) {
          if (!(error instanceof LineBroke)) throw error;
          // A busy machine makes the line look dead, more than once; no client should hear of that.
          const isRepeated = callOptions.isRepeatable === true && !isClosed && clock.monotonicMs() < endMs;
          if (!isRepeated) throw unavailable('went away during the call');
        }
      }
    },
    close() {
      isClosed = true;
      clearInterval(watch);
      clearTimeout(retryTimer);
      for (const wake of [...waiters]) wake();
      opening?.destroy();
    },
  };
}

/** What lives as long as the feed is whole lives short when nobody tells the other side of changes. */
function changesOf({ onChange, onLost, lifetimeMsMax }: ChangeFeed, isBroken: () => boolean): Changes {
  return {
    onChange,
    onLost,
    lifetimeMsMax: () => (isBroken() ? BROKEN_LIFETIME_MS : lifetimeMsMax()),
  };
}
