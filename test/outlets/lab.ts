import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AuditEntry } from '../../src/audit/index.ts';
import { encodeLine } from '../../src/audit/line.ts';
import type { Cursor, OutletRecord, RecordSource } from '../../src/outlets/ports.ts';
import { entry } from '../audit/lab.ts';

/** One record as the log has it. */
export function outletRecord(index: number, wanted: Partial<AuditEntry> = {}): OutletRecord {
  const time = `2026-11-24T11:35:19.${String(index % 1_000_000).padStart(6, '0')}Z`;
  const stamp = { id: `record-${index}`, time, node: 'n1', writer: 'w1', seq: index + 1 };
  const { record, text } = encodeLine(entry({ requestId: `request-${index}`, ...wanted }), stamp);
  return { index, record, line: Buffer.from(text, 'latin1') };
}

/** A log in memory; `grow` adds records. */
export function createMemorySource(): RecordSource & { grow(count: number): void } {
  const records: OutletRecord[] = [];
  return {
    size: () => records.length,
    read: async (from, to) => records.slice(from, to),
    grow(count) {
      for (let added = 0; added < count; added++) records.push(outletRecord(records.length));
    },
  };
}

export function createMemoryCursor(): Cursor & { saved(): number } {
  let saved = 0;
  return {
    load: async () => saved,
    async save(value) {
      saved = value;
    },
    saved: () => saved,
  };
}

export interface HttpLab {
  readonly url: string;
  /** In the order in which they came. */
  readonly requests: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }[];
  close(): Promise<void>;
}

/** A real HTTP receiver that answers as it is told. */
export async function startHttp(
  answer: (request: { readonly body: string; readonly count: number }, response: ServerResponse) => void,
): Promise<HttpLab> {
  const requests: HttpLab['requests'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, headers, body });
      answer({ body, count: requests.length }, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return {
    ...{ url: `http://127.0.0.1:${port}`, requests },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function indexesOf(body: string): readonly number[] {
  const value: { records: { index: number }[] } = JSON.parse(body);
  return value.records.map(({ index }) => index);
}
