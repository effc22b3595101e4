import { once } from 'node:events';
import type { Server } from 'node:https';
import type { AuditEntry } from '../../src/audit/index.ts';
import { silentLogger, systemRandom } from '../../src/base/index.ts';
import { createListener } from '../../src/gateway/index.ts';
import { createTestCertificate } from './certificates.ts';

type Options = Parameters<typeof createListener>[0];
type Parts = Parameters<typeof createListener>[1];

const CERTIFICATE = createTestCertificate();

/** The real TLS listener on a free port, alone in this process. */
export interface TestListener {
  readonly port: number;
  /** PEM of the authority that its certificate comes from. */
  readonly ca: string;
  /** What it has put into the access log. */
  readonly noted: AuditEntry[];
  readonly server: Server;
  drain(): Promise<void>;
}

/** @param parts what becomes of requests; one that nothing is said of fails its test. */
export async function startListener(
  options: Omit<Options, 'tls'>,
  parts: Partial<Pick<Parts, 'gateway' | 'others'>> = {},
): Promise<TestListener> {
  const { certificate, key } = CERTIFICATE;
  const noted: AuditEntry[] = [];
  const listener = createListener(
    { ...options, tls: { cert: certificate, key } },
    {
      gateway: { handle: () => Promise.reject(new Error('nothing is handled')) },
      others: () => {
        throw new Error('nothing is handled');
      },
      ...parts,
      audit: { note: (entry) => void noted.push(entry) },
      random: systemRandom,
      logger: silentLogger,
    },
  );
  listener.server.listen(0, '127.0.0.1');
  await once(listener.server, 'listening');
  const address = listener.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    ca: certificate,
    noted,
    server: listener.server,
    drain: () => listener.drain(),
  };
}
