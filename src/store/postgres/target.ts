import type { ClientConfig, CustomTypesConfig } from 'pg';
import pg from 'pg';

/** Where a PostgreSQL server listens, and who signs in there. */
export interface PostgresTarget {
  /** `postgres://user@host[:port]/database`, without password. */
  readonly url: string;
  readonly password?: string;
  /** Absent: the line is plain. A server certificate that does not verify ends the connection. */
  readonly tls?: { readonly caPem?: string };
  /** Connections of one process, at most. */
  readonly connectionsMax: number;
}

const CONNECT_MS_MAX = 2000;
/** The server gives a statement up after this, waiting for the writers' turn included. */
const STATEMENT_MS_MAX = 10_000;
/** A process that stopped inside a transaction holds up every writer of every replica. */
const IDLE_TRANSACTION_MS_MAX = 10_000;
/** Later than the server's own limit: only one that does not answer at all meets it. */
const ANSWER_MS_MAX = STATEMENT_MS_MAX + 2000;
const PORT = 5432;

const INT8 = 20;
const NUMERIC = 1700;

/** Counts and instants fit a number; one that does not is a damaged row and must not be rounded in silence. */
const TYPES: CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if (oid === INT8 || oid === NUMERIC) return toNumber;
    return pg.types.getTypeParser(oid, format);
  },
};

function toNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new RangeError(`${text} is out of range`);
  return value;
}

/** What a connection is opened with. `statementMsMax: 0`: for migrations, which may last. */
export function clientConfig(
  target: PostgresTarget,
  { statementMsMax = STATEMENT_MS_MAX }: { readonly statementMsMax?: number } = {},
): ClientConfig {
  const url = new URL(target.url);
  return {
    host: decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, '$1')),
    port: url.port === '' ? PORT : Number(url.port),
    user: decodeURIComponent(url.username),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(target.password === undefined ? {} : { password: target.password }),
    ssl:
      target.tls === undefined
        ? false
        : {
            rejectUnauthorized: true,
            minVersion: 'TLSv1.2',
            ...(target.tls.caPem === undefined ? {} : { ca: target.tls.caPem }),
          },
    application_name: 'dockgate',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: statementMsMax,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS_MAX,
    ...(statementMsMax === 0 ? {} : { query_timeout: ANSWER_MS_MAX }),
    keepAlive: true,
    types: TYPES,
  };
}

/** For messages: who and where, never the password. */
export function nameOf({ url }: PostgresTarget): string {
  const { hostname, port, pathname } = new URL(url);
  return `PostgreSQL ${hostname}:${port === '' ? PORT : port}${pathname}`;
}
