import pg from 'pg';
import { toFault } from './errors.ts';
import { LOCKS, lockCall } from './locks.ts';
import { clientConfig, type PostgresTarget } from './target.ts';

/** Work that only one replica does at a time. */
export interface Alone {
  /** Waits for whoever is at it. */
  inTurn<T>(name: 'start', work: () => Promise<T>): Promise<T>;
  /** Leaves it to whoever is at it; @returns whether it was done here. */
  unlessTaken(name: 'tidy' | 'feeds', work: () => Promise<void>): Promise<boolean>;
}

/**
 * The lock belongs to a connection of its own: a replica that dies, or is cut off, gives it back when the server
 * notices, and the work itself must bear being done twice.
 */
export function createAlone(target: PostgresTarget): Alone {
  return {
    inTurn: (name, work) =>
      connected(target, async (client) => {
        await client.query(lockCall('pg_advisory_lock', LOCKS[name]));
        return work;
      }).then(({ value, end }) => value().finally(end)),
    async unlessTaken(name, work) {
      const { value: isOurs, end } = await connected(target, async (client) => {
        const { rows } = await client.query<{ readonly got: boolean }>(
          lockCall('pg_try_advisory_lock', LOCKS[name]),
        );
        return rows[0]?.got === true;
      });
      try {
        if (isOurs) await work();
        return isOurs;
      } finally {
        await end();
      }
    },
  };
}

async function connected<T>(
  target: PostgresTarget,
  ask: (client: pg.Client) => Promise<T>,
): Promise<{ readonly value: T; readonly end: () => Promise<void> }> {
  const client = new pg.Client(clientConfig(target, { statementMsMax: 0 }));
  // A lock that is lost with its line is somebody else's then; see above.
  client.on('error', () => {});
  const end = () => client.end().catch(() => {});
  try {
    await client.connect();
    return { value: await ask(client), end };
  } catch (error) {
    await end();
    throw toFault(error);
  }
}
