import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RedisServer, reserveRedisServer } from '../cluster/redis-server.ts';
import { type DockerRegistry, startDockerRegistry } from './docker-registry.ts';
import { type Dockgate, startDockgate } from './dockgate.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';

export const ADMIN_PASSWORD = 'replica-admin-horse-7';

/** Two real servers over one PostgreSQL, one Redis and one registry behind them. */
export interface Replicas {
  readonly a: Dockgate;
  readonly b: Dockgate;
  readonly postgres: PostgresServer;
  /** Of the database. */
  readonly databaseUrl: string;
  readonly redis: RedisServer;
  readonly registry: DockerRegistry;
  remove(): Promise<void>;
}

/** @param more lines of the configuration of both. */
export async function startReplicas(more = ''): Promise<Replicas> {
  const started = new AsyncDisposableStack();
  try {
    const postgres = await startPostgres();
    started.defer(() => postgres.remove());
    const redis = await reserveRedisServer();
    started.defer(() => redis.remove());
    await redis.start();
    const registry = await startDockerRegistry();
    started.defer(() => registry.stop());
    const databaseUrl = await postgres.createDatabase();
    const config = [
      // What a balancer in front of them is called.
      'publicUrl: https://localhost:8443',
      `adminPassword: ${ADMIN_PASSWORD}`,
      `database: {url: "${databaseUrl}", password: ${postgres.password}, tls: false}`,
      `redis: {url: "${redis.url}"}`,
      `upstreams: [{url: "${registry.url}"}]`,
      more,
      '',
    ].join('\n');
    const start = (directory: string, node: string) =>
      startDockgate({ directory, config: `node: ${node}\n${config}`, workers: 2 });
    const folder = () => mkdtempSync(join(tmpdir(), 'dockgate-'));
    const a = await start(folder(), 'a');
    started.defer(() => a.remove());
    const second = folder();
    shareFiles(a.directory, second);
    const b = await start(second, 'b');
    started.defer(() => b.remove());
    return { a, b, postgres, databaseUrl, redis, registry, remove: () => started.disposeAsync() };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}

/** What the operator copies: the certificate authority, and the key that opens the shared ones. */
function shareFiles(from: string, to: string): void {
  cpSync(join(from, 'certs'), join(to, 'certs'), { recursive: true });
  mkdirSync(join(to, 'data', 'keys'), { recursive: true, mode: 0o700 });
  cpSync(join(from, 'data/keys/secrets.key'), join(to, 'data/keys/secrets.key'));
}

/** A key that is not the others'. */
export function writeOtherKey(directory: string): void {
  mkdirSync(join(directory, 'data', 'keys'), { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'data/keys/secrets.key'), `${'ab'.repeat(32)}\n`, { mode: 0o600 });
}
