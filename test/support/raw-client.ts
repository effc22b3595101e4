import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Dockgate } from './dockgate.ts';

/** One answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RawConnection {
  readonly socket: TLSSocket;
  /** All bytes so far, as latin1. */
  received(): string;
  send(bytes: string | Uint8Array): void;
  /** Whole answers so far. */
  answers(): readonly RawAnswer[];
  /** Resolves when there are so many answers, or the connection has ended. */
  waitForAnswers(count: number): Promise<readonly RawAnswer[]>;
  /** Resolves when the server has ended the connection; false when it did not within the time. */
  waitForEnd(waitMsMax?: number): Promise<boolean>;
  destroy(): void;
  /** Ends it with a TCP reset. */
  reset(): void;
}

export interface RawOptions {
  /** The client's own address, any of 127.0.0.0/8, by which its records are found. */
  readonly from?: string;
  /** Answers to HEAD have no body, whatever their length says. */
  readonly isHead?: boolean;
}

const WAIT_MS_MAX = 60_000;

/** A TLS connection on which any bytes can be sent: no HTTP client writes what an attacker does. */
export async function connectRaw(
  server: Pick<Dockgate, 'port' | 'ca'>,
  options: RawOptions = {},
): Promise<RawConnection> {
  const tcp = connectTcp({
    host: '127.0.0.1',
    port: server.port,
    ...(options.from === undefined ? {} : { localAddress: options.from }),
  });
  const socket = connect({ socket: tcp, servername: 'localhost', ca: server.ca });
  await once(socket, 'secureConnect');
  let received = '';
  let isEnded = false;
  const changed = new Set<() => void>();
  const tell = (): void => {
    for (const look of [...changed]) look();
  };
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    tell();
  });
  socket.on('error', () => {
    // A reset is an end, too.
  });
  socket.on('close', () => {
    isEnded = true;
    tell();
  });
  const answers = (): readonly RawAnswer[] => parseAnswers(received, options.isHead ?? false);
  /** @returns whether it came true in time. */
  const wait = (isTrue: () => boolean, waitMsMax: number): Promise<boolean> =>
    new Promise((resolve) => {
      const end = (result: boolean): void => {
        changed.delete(look);
        clearTimeout(timer);
        resolve(result);
      };
      const look = (): void => {
        if (isTrue()) end(true);
      };
      const timer = setTimeout(() => end(false), waitMsMax);
      changed.add(look);
      look();
    });
  return {
    socket,
    received: () => received,
    send: (bytes) => void socket.write(bytes),
    answers,
    async waitForAnswers(count) {
      const isInTime = await wait(() => isEnded || answers().length >= count, WAIT_MS_MAX);
      if (!isInTime) throw new Error(`${answers().length} of ${count} answers in time: ${received}`);
      return answers();
    },
    waitForEnd: (waitMsMax = WAIT_MS_MAX) => wait(() => isEnded, waitMsMax),
    destroy: () => socket.destroy(),
    reset: () => void tcp.resetAndDestroy(),
  };
}

/** Splits what came into answers; one that is not whole yet is left out. */
function parseAnswers(text: string, isHead: boolean): readonly RawAnswer[] {
  const found: RawAnswer[] = [];
  for (let rest = text; ; ) {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd < 0) return found;
    const [line = '', ...lines] = rest.slice(0, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(line)}`);
    const headers = new Map(
      lines.map((each) => {
        const colonAt = each.indexOf(':');
        return [each.slice(0, colonAt).toLowerCase(), each.slice(colonAt + 1).trim()] as const;
      }),
    );
    const isBodiless = isHead || status < 200 || status === 204 || status === 304;
    const length = isBodiless ? 0 : Number(headers.get('content-length') ?? 0);
    const body = rest.slice(headEnd + 4, headEnd + 4 + length);
    if (body.length < length) return found;
    found.push({ status, headers, body });
    rest = rest.slice(headEnd + 4 + length);
  }
}

/** `404 MANIFEST_UNKNOWN`, or the status alone where the body is no error of the distribution API. */
export function summaryOf({ status, body }: Pick<RawAnswer, 'status' | 'body'>): string {
  const code = /^\{"errors":\[\{"code":"([A-Z_]+)"/.exec(body)?.[1];
  return code === undefined ? String(status) : `${status} ${code}`;
}
