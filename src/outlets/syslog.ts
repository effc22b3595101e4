import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { OutletFormat } from './format.ts';
import type { Receiver } from './ports.ts';
import { printSyslog } from './syslog-message.ts';

export interface SyslogOptions {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
  /** PEM of the CA to trust in place of the system's; for `tls`. */
  readonly ca?: string;
}

/** Sends messages of RFC 5424, printable ASCII. */
export interface SyslogSender {
  /** @throws {Error} they are not sent, or nobody knows. */
  send(messages: readonly string[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Syslog has no answers, whatever carries it: what was sent last may not have arrived. */
export function createSyslogReceiver(options: SyslogOptions & { readonly format: OutletFormat }): Receiver {
  const sender = createSyslogSender(options);
  return {
    isConfirmed: false,
    async send(records, signal) {
      await sender.send(
        records.map((record) => printSyslog(record, options.format)),
        signal,
      );
      return undefined;
    },
    close: sender.close,
  };
}

export function createSyslogSender(options: SyslogOptions): SyslogSender {
  return options.protocol === 'udp' ? overUdp(options) : overStream(options);
}

/** One message a datagram (RFC 5426). */
function overUdp({ host, port }: SyslogOptions): SyslogSender {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  socket.unref();
  // An error of a datagram sent before comes here; sending reports its own.
  socket.on('error', () => {});
  return {
    async send(messages) {
      for (const message of messages) {
        await new Promise<void>((resolve, reject) => {
          socket.send(Buffer.from(message, 'latin1'), port, host, (error) =>
            error ? reject(error) : resolve(),
          );
        });
      }
    },
    close: async () => void socket.close(),
  };
}

/** Octet counting (RFC 6587, 3.4.1; RFC 5425, 4.3): the length, a space, the message. */
function overStream(options: SyslogOptions): SyslogSender {
  let socket: Socket | undefined;
  return {
    async send(messages, signal) {
      if (socket?.destroyed) {
        socket = undefined;
        throw new Error('the connection was lost; what was sent last may not have arrived');
      }
      socket ??= await open(options, signal);
      const frames = messages.map((message) => `${message.length} ${message}`);
      await write(socket, frames.join(''), signal);
    },
    close: async () => void socket?.destroy(),
  };
}

async function open({ protocol, host, port, ca }: SyslogOptions, signal: AbortSignal): Promise<Socket> {
  const isTls = protocol === 'tls';
  const socket = isTls
    ? connectTls({ host, port, servername: host, ...(ca === undefined ? {} : { ca }) })
    : connectTcp({ host, port });
  try {
    await once(socket, isTls ? 'secureConnect' : 'connect', { signal });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.unref();
  // Noticed at the next sending, by `destroyed`. A receiver has nothing to say.
  socket.on('error', () => {});
  socket.on('end', () => socket.destroy());
  socket.resume();
  return socket;
}

/** Resolves when the system has taken the bytes: a slow receiver holds its outlet up, and nothing else. */
function write(socket: Socket, text: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void socket.destroy(new Error('not taken in time'));
    const onClose = (): void => done(new Error('the connection was lost while sending'));
    const done = (error?: Error | null): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('close', onClose);
      if (error) {
        socket.destroy();
        reject(error);
      } else resolve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('close', onClose);
    socket.write(text, 'latin1', done);
  });
}
