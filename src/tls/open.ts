import {
  type Clock,
  createSingleFlight,
  DAY_MS,
  type Logger,
  type Random,
  SECOND_MS,
  StartError,
} from '../base/index.ts';
import { certificateFiles, prepareDirectory } from './files.ts';
import { ensureMaterial, type Material, missingNames, readMaterial } from './material.ts';
import { TICKET_MS } from './ticket-keys.ts';

export interface TlsOptions {
  /** Holds `ca.crt`, `ca.key`, `server.crt` and `server.key`. */
  readonly directory: string;
  /** What clients may call us: certificateNames(). */
  readonly names: readonly string[];
  /** Those of them that clients are told: an operator's own certificate must hold these. All unless told. */
  readonly namesTold?: readonly string[];
  /** True in the one process that issues and renews; others read what it has issued. */
  readonly mayIssue: boolean;
  /** How often the files are looked at, in milliseconds; 10 s unless told. */
  readonly checkEveryMs?: number;
}

export interface TlsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What https.createServer and server.setSecureContext take. */
export interface TlsContext {
  readonly key: string;
  readonly cert: string;
  readonly minVersion: 'TLSv1.2';
  readonly ciphers: string;
  readonly honorCipherOrder: true;
  /** HTTP/2 is never spoken: one parser, one set of limits. */
  readonly ALPNProtocols: string[];
  /** A handshake that does not end in this many milliseconds is cut. */
  readonly handshakeTimeout: number;
  /** Seconds for which a session can be taken up again. */
  readonly sessionTimeout: number;
  /** Sessions are taken up by whoever says the same: workers and replicas, wherever they lie. */
  readonly sessionIdContext: string;
}

export interface TlsStatus {
  /** SHA-256 of the server's certificate, in hexadecimal with colons. */
  readonly fingerprint: string;
  readonly expiresAtMs: number;
  /** Of the names that clients are told those that the certificate lacks. */
  readonly missingNames: readonly string[];
}

export interface Tls {
  /** What clients trust. */
  readonly caPath: string;
  context(): TlsContext;
  status(): TlsStatus;
  /** Called with the new context when the certificate was exchanged. @returns the call that ends it. */
  onReload(handler: (context: TlsContext) => void): () => void;
  /**
   * Looks at the files now; renews where it may. What cannot be used is logged, and the old pair goes on.
   * @returns whether the pair changed.
   */
  refresh(): Promise<boolean>;
  close(): void;
}

/** Forward secrecy and authenticated encryption only. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Days before the end of a certificate that we cannot renew at which the log says so. */
const WARN_DAYS: readonly number[] = [30, 7, 1, 0];

/**
 * Reads the server's certificate and key, and issues them from a local CA where there are none.
 *
 * @throws {StartError} files that cannot be used, or (without `mayIssue`) that are not there.
 */
export async function openTls(options: TlsOptions, parts: TlsParts): Promise<Tls> {
  const files = certificateFiles(options.directory);
  if (options.mayIssue) await prepareDirectory(options.directory, parts.clock);
  const load = async (): Promise<Material> => {
    if (options.mayIssue) return ensureMaterial(files, options.names, parts);
    const material = await readMaterial(files);
    if (material) return material;
    throw new StartError(`${files.certificate} is missing`);
  };
  const handlers = new Set<(context: TlsContext) => void>();
  let material = await load();
  // The other processes would say the same once more.
  const warn = options.mayIssue ? createWarnings(options, parts) : () => {};
  warn(material);

  const refresh = async (): Promise<boolean> => {
    try {
      const next = await load();
      warn(next);
      if (next.chain === material.chain && next.key === material.key) return false;
      material = next;
    } catch (error) {
      parts.logger.error('certificate not reloaded, the old one goes on', { path: files.directory }, error);
      return false;
    }
    parts.logger.info('certificate reloaded', { expires: material.certificate.validTo });
    for (const handler of handlers) handler(contextOf(material));
    return true;
  };
  const alone = createSingleFlight<boolean>();
  const refreshOnce = () => alone('refresh', refresh);
  const timer = setInterval(refreshOnce, options.checkEveryMs ?? 10 * SECOND_MS).unref();

  return {
    caPath: files.caCertificate,
    context: () => contextOf(material),
    status: () => statusOf(material, namesTold(options)),
    onReload(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    refresh: refreshOnce,
    close: () => clearInterval(timer),
  };
}

function contextOf(material: Material): TlsContext {
  return {
    key: material.key,
    cert: material.chain,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: 10 * SECOND_MS,
    sessionTimeout: TICKET_MS / SECOND_MS,
    sessionIdContext: 'dockgate',
  };
}

function statusOf(material: Material, names: readonly string[]): TlsStatus {
  return {
    fingerprint: material.certificate.fingerprint256,
    expiresAtMs: material.certificate.validToDate.getTime(),
    missingNames: missingNames(material.certificate, names),
  };
}

function namesTold(options: TlsOptions): readonly string[] {
  return options.namesTold ?? options.names;
}

/** Says once what the operator must mend: names that are lacking, and each threshold of days left. */
function createWarnings(options: TlsOptions, parts: TlsParts): (material: Material) => void {
  const said = new Set<string>();
  return (material) => {
    const { fingerprint, expiresAtMs, missingNames: missing } = statusOf(material, namesTold(options));
    const restMs = expiresAtMs - parts.clock.nowMs();
    const days = WARN_DAYS.findLast((limit) => restMs <= limit * DAY_MS);
    if (days !== undefined && !said.has(`${fingerprint} ${days}`)) {
      said.add(`${fingerprint} ${days}`);
      parts.logger.warn(restMs > 0 ? 'server certificate ends soon' : 'server certificate has expired', {
        expires: material.certificate.validTo,
      });
    }
    if (missing.length > 0 && !said.has(fingerprint)) {
      said.add(fingerprint);
      parts.logger.warn('server certificate lacks names', { names: missing.join(' ') });
    }
  };
}
