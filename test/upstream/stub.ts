import type { Socket } from 'node:net';
import { silentLogger, systemClock } from '../../src/base/index.ts';
import type { Source } from '../../src/content/index.ts';
import { createUpstream, type UpstreamOptions, type UpstreamParts } from '../../src/upstream/index.ts';
import { type RawRequest, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

export type Script = (request: RawRequest, socket: Socket, body: Promise<string>) => void | Promise<void>;

const QUICK = { connectMs: 2000, answerMs: 2000, commitMs: 2000, idleMs: 2000 };

/** Runs with a source in front of a stub that answers each head by `script`; ends both, whatever happens. */
export async function withStub(
  script: Script | string,
  run: (source: Source, stub: RawUpstream) => Promise<void>,
  options: Omit<UpstreamOptions, 'url'> = {},
  parts: Partial<UpstreamParts> = {},
): Promise<void> {
  const stub = await startRawUpstream(
    typeof script === 'string' ? (_request, socket) => void socket.write(script) : script,
  );
  const source = createUpstream(
    { url: stub.url, timeouts: QUICK, ...options },
    { clock: systemClock, logger: silentLogger, ...parts },
  );
  try {
    await run(source, stub);
  } finally {
    await source.close();
    await stub.close();
  }
}

/** An answer with its length. */
export function answerOf(status: string, headers: readonly string[] = [], body = ''): string {
  return [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join(
    '\r\n',
  );
}
