import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { createSingleFlight, type Logger, SECOND_MS, StartError } from '../base/index.ts';

export interface ClientAuthoritiesOptions {
  /** PEM: who issues the certificates that clients sign in with. */
  readonly caFile: string;
  /** PEM: what of them was revoked; with it, every certificate must be covered by a list that is in date. */
  readonly crlFile: string | undefined;
  /** How often the files are looked at, in milliseconds; 10 s unless told. */
  readonly checkEveryMs?: number;
}

/** What a TLS server needs to ask for client certificates and to judge them. */
export interface ClientAuthoritiesContext {
  readonly ca: string;
  readonly crl?: string;
}

export interface ClientAuthorities {
  context(): ClientAuthoritiesContext;
  /** @returns the call that ends it. */
  onReload(handler: (context: ClientAuthoritiesContext) => void): () => void;
  /** Looks at the files now. What cannot be used is logged, and what was read before goes on. */
  refresh(): Promise<void>;
  close(): void;
}

/** @throws {StartError} a file cannot be read, or holds no certificate or list. */
export async function openClientAuthorities(
  options: ClientAuthoritiesOptions,
  { logger }: { readonly logger: Logger },
): Promise<ClientAuthorities> {
  const handlers = new Set<(context: ClientAuthoritiesContext) => void>();
  let context = await load(options);
  const alone = createSingleFlight<void>();
  const refresh = () =>
    alone('refresh', async () => {
      try {
        const next = await load(options);
        if (next.ca === context.ca && next.crl === context.crl) return;
        context = next;
      } catch (error) {
        logger.error('client authorities not reloaded, those before go on', { path: options.caFile }, error);
        return;
      }
      logger.info('client authorities and revocation list reloaded', { path: options.caFile });
      for (const handler of handlers) handler(context);
    });
  const timer = setInterval(refresh, options.checkEveryMs ?? 10 * SECOND_MS).unref();
  return {
    context: () => context,
    onReload(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    refresh,
    close: () => clearInterval(timer),
  };
}

async function load({ caFile, crlFile }: ClientAuthoritiesOptions): Promise<ClientAuthoritiesContext> {
  const ca = await readPem(caFile, 'CERTIFICATE');
  const context = crlFile === undefined ? { ca } : { ca, crl: await readPem(crlFile, 'X509 CRL') };
  try {
    createSecureContext(context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`${caFile} or ${crlFile ?? 'its revocation list'} cannot be used: ${reason}`);
  }
  return context;
}

async function readPem(path: string, label: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new StartError(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  });
  if (!text.includes(`-----BEGIN ${label}-----`)) throw new StartError(`${path} holds no ${label} in PEM`);
  return text;
}
