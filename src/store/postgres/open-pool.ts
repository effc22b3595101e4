import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { Logger } from '../../base/index.ts';
import { isConnectionLost, toFault } from './errors.ts';
import { clientConfig, type PostgresTarget } from './target.ts';

/** An open pool of connections. */
export interface OpenPool {
  /** Questions to some of the tables of the database, over the connections of the pool. */
  sql<Tables>(): Kysely<Tables>;
  close(): Promise<void>;
}

/**
 * Connects when somebody asks. A connection that broke, or did not answer, is not used again.
 *
 * @throws nothing itself; a question throws `StoreUnavailable` while the server is away.
 */
export function openPool(target: PostgresTarget, { logger }: { readonly logger: Logger }): OpenPool {
  const pool = new pg.Pool({
    ...clientConfig(target),
    max: target.connectionsMax,
    verify: (client, done) => verify(client).then(() => done(), done),
  });
  // An idle connection that the server ends would else end this process.
  pool.on('error', (error) =>
    logger.debug('an idle connection to PostgreSQL ended', { reason: error.message }),
  );
  return {
    sql: <Tables>() => new Kysely<Tables>({ dialect: new PostgresDialect({ pool: faulting(pool) }) }),
    close: () => pool.end(),
  };
}

/** A standby shows what was true some time ago: a right that was taken would live on there. */
async function verify(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ readonly standby: boolean }>(
    'select pg_catalog.pg_is_in_recovery() as standby',
  );
  if (rows[0]?.standby !== false) throw new Error('the PostgreSQL server is a standby, which may lag behind');
}

/** The pool as kysely sees it; errors leave it as faults of the store. */
function faulting(pool: pg.Pool): PostgresPool {
  return {
    async connect() {
      try {
        return wrap(await pool.connect());
      } catch (error) {
        throw toFault(error);
      }
    },
    // Several share the pool; who opened it ends it.
    end: async () => {},
  };
}

function wrap(client: pg.PoolClient): PostgresPoolClient {
  let isLost = false;
  // An error while it is in use is told by the question too; without a listener it would end the process.
  const onError = (): void => {
    isLost = true;
  };
  client.on('error', onError);
  const wrapped = {
    async query(text: string, parameters: readonly unknown[]) {
      try {
        return await client.query(text, parameters.map(bind));
      } catch (error) {
        isLost ||= isConnectionLost(error);
        throw toFault(error);
      }
    },
    release(isDiscarded?: boolean) {
      client.off('error', onError);
      client.release(isLost || isDiscarded === true);
    },
  };
  // The dialect has no cursor, so only the first of the two forms of `query` is called.
  return wrapped as unknown as PostgresPoolClient;
}

/**
 * PostgreSQL has no NUL in a text. No name holds its neighbour either, so what is looked for is not found, and it stands
 * at the same place in the order of bytes.
 */
function bind(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\x01') : value;
}
