import { chmodSync, unlinkSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import {
  type Change,
  type Changes,
  createLocalChanges,
  type Logger,
  MiB,
  SECOND_MS,
  StartError,
} from '../base/index.ts';
import { Fault } from '../oci/index.ts';
import { BROKEN_LIFETIME_MS } from './change-feed.ts';
import { createFrameReader, encodeFrame } from './frames.ts';
import type { RpcParts } from './ports.ts';
import { failed, isToServer, type ToClient, toWireFault } from './wire.ts';

export interface RpcServerOptions {
  readonly socketPath: string;
  /** Milliseconds between two signs of life. */
  readonly beatMs?: number;
  /** Milliseconds that a worker has to acknowledge changes before it is cut off. */
  readonly ackMsMax?: number;
  /** Whether this process hears of what others change; always, unless told. Asked at each sign of life. */
  readonly isWhole?: () => boolean;
}

/** The end of the line in the housekeeping process. */
export interface RpcServer {
  /**
   * Tells this process and every live worker of changes.
   * Resolves when all of them have dropped what is no longer true; a worker that does not say so in time is cut off,
   * and then keeps nothing older than 2 s (see the client).
   */
  publish(changes: readonly Change[]): Promise<void>;
  /** Tells all of them that anything may have changed. Resolves as `publish` does. */
  lose(): Promise<void>;
  /** The same changes, for what this process itself keeps in memory. */
  readonly changes: Changes;
  connectionCount(): number;
  close(): Promise<void>;
}

const BEAT_MS = 500;
/** Longer than the silence after which a client stops trusting what it holds: no cut-off worker serves old truth. */
const ACK_MS_MAX = SECOND_MS + 100;
/** Unread bytes of a worker that has stopped reading. */
const UNREAD_BYTES_MAX = 32 * MiB;
const CHANGES_COUNT_MAX = 1000;
/** The address of a Unix socket holds 108 bytes with its final zero, on macOS 104. */
const PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103;

interface Connection {
  readonly socket: Socket;
  /** What waits for the acknowledgement of each number. */
  readonly unacknowledged: Map<number, () => void>;
}

/**
 * Opens the line between the processes of this node: a Unix socket that only this user may use.
 *
 * @param parts whose own function members can be called as `part.function`; nothing inherited can.
 * @throws {StartError} the path is too long, not writable, or another process listens there.
 */
export async function serveRpc(
  options: RpcServerOptions,
  parts: RpcParts,
  { logger }: { readonly logger: Logger },
): Promise<RpcServer> {
  const methods = methodsOf(parts);
  const connections = new Set<Connection>();
  const changes = createLocalChanges();
  const isWhole = options.isWhole ?? (() => true);
  let seq = 0;

  function send(connection: Connection, message: ToClient): void {
    if (connection.socket.destroyed) return;
    connection.socket.write(encodeFrame(message));
    if (connection.socket.writableLength > UNREAD_BYTES_MAX) {
      logger.warn('a worker stopped reading and was cut off', { unread: connection.socket.writableLength });
      connection.socket.destroy();
    }
  }

  async function answer(connection: Connection, id: number, method: string, args: readonly unknown[]) {
    try {
      const value = await callMethod(methods, method, args);
      send(connection, { type: 'answer', id, value });
    } catch (error) {
      if (!(error instanceof Fault)) logger.error('a call from a worker failed', { method }, error);
      const fault = error instanceof Fault ? error : failed(`the housekeeping process failed at ${method}`);
      send(connection, { type: 'failure', id, fault: toWireFault(fault) });
    }
  }

  function accept(socket: Socket): void {
    const connection: Connection = { socket, unacknowledged: new Map() };
    connections.add(connection);
    const read = createFrameReader((message) => {
      if (!isToServer(message)) throw new TypeError('a worker sent what is no message');
      if (message.type === 'call') void answer(connection, message.id, message.method, message.args);
      else connection.unacknowledged.get(message.seq)?.();
    });
    socket.on('data', (chunk) => {
      try {
        read(chunk);
      } catch (error) {
        logger.error('the line to a worker is broken', {}, error);
        socket.destroy();
      }
    });
    // A worker that dies is told of by 'close', which always follows.
    socket.on('error', (error) => logger.debug('the line to a worker failed', { reason: error.message }));
    socket.on('close', () => {
      connections.delete(connection);
      for (const settle of connection.unacknowledged.values()) settle();
    });
    send(connection, { type: 'welcome', seq, isBroken: !isWhole() });
  }

  function acknowledged(connection: Connection, number: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        logger.warn('a worker did not acknowledge a change in time and was cut off', { seq: number });
        connection.socket.destroy();
      }, options.ackMsMax ?? ACK_MS_MAX);
      connection.unacknowledged.set(number, () => {
        clearTimeout(timer);
        connection.unacknowledged.delete(number);
        resolve();
      });
    });
  }

  /** Resolves when every worker has acknowledged the message, or is cut off. */
  async function tellAll(
    message: Omit<ToClient & { readonly type: 'change' }, 'type' | 'seq'>,
  ): Promise<void> {
    const number = ++seq;
    const waits = [...connections].map((connection) => {
      const wait = acknowledged(connection, number);
      send(connection, { type: 'change', seq: number, ...message });
      return wait;
    });
    await Promise.all(waits);
  }

  function beatAll(): void {
    for (const connection of connections) send(connection, { type: 'beat', seq, isBroken: !isWhole() });
  }

  const server = createServer(accept);
  await listen(server, options.socketPath);
  const beat = setInterval(beatAll, options.beatMs ?? BEAT_MS);

  return {
    changes: {
      ...changes,
      lifetimeMsMax: () => (isWhole() ? changes.lifetimeMsMax() : BROKEN_LIFETIME_MS),
    },
    connectionCount: () => connections.size,
    async publish(published) {
      if (published.length === 0) return;
      for (const change of published) changes.publish(change);
      await tellAll({ changes: summarize(published) });
    },
    async lose() {
      changes.lose();
      // First, so that nothing lives long that is cached from now on.
      beatAll();
      await tellAll({ changes: [], isLost: true });
    },
    async close() {
      clearInterval(beat);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
}

/** Very many changes are told as "anything of the topic": the frame stays small, and dropping them singly would not pay. */
function summarize(changes: readonly Change[]): readonly Change[] {
  if (changes.length <= CHANGES_COUNT_MAX) return changes;
  return [...new Set(changes.map((change) => change.topic))].map((topic) => ({ topic }));
}

type Method = (args: readonly unknown[]) => unknown;

/** An explicit table: a name that walks to a prototype (`constructor`, `__proto__`) is in no table. */
function methodsOf(parts: RpcParts): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>();
  for (const [name, part] of Object.entries(parts)) {
    for (const [member, value] of Object.entries(part)) {
      if (typeof value === 'function') {
        methods.set(`${name}.${member}`, (args) => Reflect.apply(value, part, args));
      }
    }
  }
  return methods;
}

async function callMethod(
  methods: ReadonlyMap<string, Method>,
  name: string,
  args: readonly unknown[],
): Promise<unknown> {
  const method = methods.get(name);
  if (!method) throw failed(`the housekeeping process offers no ${name.slice(0, 80)}`);
  return method(args);
}

async function listen(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new StartError(
      `the path ${path} is too long for a Unix socket (at most ${PATH_BYTES_MAX} bytes): use a shorter data directory`,
    );
  }
  if (await isAnswering(path)) {
    throw new StartError(
      `another dockgate already runs on this data: something listens on ${path}; stop it, or use another data directory`,
    );
  }
  removeStale(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new StartError(`cannot listen on the Unix socket ${path}: ${error.message}`)),
    );
    server.listen(path, resolve);
  });
  // The directory around it (0700) closes the moment between the two calls.
  chmodSync(path, 0o600);
}

function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

/** The socket of a process that was killed stays behind as a file on which nobody listens. */
function removeStale(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isAbsent) throw new StartError(`cannot remove the old Unix socket ${path}: ${String(error)}`);
  }
}
