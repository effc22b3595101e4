import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../support/free-port.ts';
import { until } from './until.ts';

/** A real redis-server on a port of its own, with its data in a directory of its own. */
export interface RedisServer {
  readonly url: string;
  /** A connection that does as it is told, to look at and tamper with what is kept. */
  admin(): Redis;
  start(...more: readonly string[]): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  remove(): Promise<void>;
}

export async function reserveRedisServer(): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-redis-'));
  const port = await freePort();
  const admins: Redis[] = [];
  let child: ChildProcess | undefined;

  async function kill(): Promise<void> {
    for (const admin of admins.splice(0)) admin.disconnect();
    const ended = child;
    child = undefined;
    if (!ended || ended.exitCode !== null || ended.signalCode !== null) return;
    await new Promise((resolve) => {
      ended.once('exit', resolve);
      ended.kill('SIGKILL');
    });
  }

  function admin(): Redis {
    const client = new Redis(port, '127.0.0.1');
    client.on('error', () => {});
    admins.push(client);
    return client;
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    admin,
    kill,
    async start(...more) {
      const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...more];
      child = spawn('redis-server', args, { stdio: 'ignore' });
      const probe = admin();
      await until(async () => (await probe.ping().catch(() => '')) === 'PONG');
    },
    signal: (signal) => void child?.kill(signal),
    async remove() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
