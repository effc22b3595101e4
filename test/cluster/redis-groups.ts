import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisAddress } from '../../src/cluster/index.ts';
import { freePort } from '../support/free-port.ts';
import { until } from './until.ts';

const HOST = '127.0.0.1';

/** Real redis-servers that belong together. */
export interface RedisGroup {
  /** Of the sentinels, or of the nodes of a cluster. */
  readonly addresses: readonly RedisAddress[];
  /** Ends one of them as a power cut would. */
  kill(port: number): Promise<void>;
  /** A connection to one of them that does as it is told. */
  admin(port: number): Redis;
  remove(): Promise<void>;
}

/** A master, its replica, and three sentinels that put the one in the place of the other within seconds. */
export async function startSentinels(): Promise<
  RedisGroup & { readonly master: string; masterPort(): Promise<number> }
> {
  const group = createGroup();
  const [master, replica] = [await freePort(), await freePort()];
  await group.start(master, []);
  await group.start(replica, ['--replicaof', HOST, `${master}`]);
  const sentinels: number[] = [];
  for (let count = 0; count < 3; count++) {
    const port = await freePort();
    const lines = [
      `sentinel monitor gate ${HOST} ${master} 2`,
      'sentinel down-after-milliseconds gate 1000',
      'sentinel failover-timeout gate 5000',
    ];
    const file = join(group.folder, `sentinel-${port}.conf`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    await group.start(port, ['--sentinel'], file);
    sentinels.push(port);
  }
  const first = group.admin(sentinels[0] ?? 0);
  const masterOf = async (): Promise<Record<string, string>> => {
    const answer: unknown = await first.call('SENTINEL', 'MASTER', 'gate');
    const list = Array.isArray(answer) ? answer.map(String) : [];
    return Object.fromEntries(list.flatMap((key, at) => (at % 2 === 0 ? [[key, list[at + 1] ?? '']] : [])));
  };
  await until(async () => {
    const known = await masterOf();
    return known['num-slaves'] === '1' && known['num-other-sentinels'] === '2';
  });
  return {
    ...group,
    addresses: sentinels.map((port) => ({ host: HOST, port })),
    master: 'gate',
    masterPort: async () => Number((await masterOf()).port),
  };
}

/** Three masters of a cluster with a third of the slots each. */
export async function startCluster(): Promise<RedisGroup> {
  const group = createGroup();
  const ports = [await clusterPort(), await clusterPort(), await clusterPort()];
  for (const port of ports) {
    const config = ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`];
    await group.start(port, [
      ...config,
      '--cluster-node-timeout',
      '2000',
      '--cluster-require-full-coverage',
      'no',
    ]);
  }
  const edges = [0, 5461, 10_923, 16_384];
  for (const [at, port] of ports.entries()) {
    const admin = group.admin(port);
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', `${edges[at]}`, `${(edges[at + 1] ?? 0) - 1}`);
    await admin.call('CLUSTER', 'MEET', HOST, `${ports[0]}`);
  }
  for (const port of ports) {
    await until(async () => {
      const info = String(await group.admin(port).call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
    });
  }
  return { ...group, addresses: ports.map((port) => ({ host: HOST, port })) };
}

function createGroup() {
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-redis-'));
  const children = new Map<number, ChildProcess>();
  const admins = new Map<number, Redis>();

  function admin(port: number): Redis {
    const known = admins.get(port);
    if (known) return known;
    const client = new Redis(port, HOST);
    client.on('error', () => {});
    admins.set(port, client);
    return client;
  }
  async function kill(port: number): Promise<void> {
    const child = children.get(port);
    children.delete(port);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill('SIGKILL');
    });
  }
  return {
    folder,
    admin,
    kill,
    async start(port: number, more: readonly string[], file?: string): Promise<void> {
      const directory = join(folder, `${port}`);
      mkdirSync(directory);
      const args = ['--port', `${port}`, '--bind', HOST, '--dir', directory];
      const given = file === undefined ? [...args, '--save', '', ...more] : [file, ...args, ...more];
      children.set(port, spawn('redis-server', given, { stdio: 'ignore' }));
      await until(
        async () =>
          (await admin(port)
            .ping()
            .catch(() => '')) === 'PONG',
      );
    },
    async remove(): Promise<void> {
      for (const client of admins.values()) client.disconnect();
      await Promise.all([...children.keys()].map(kill));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Nodes of a cluster talk to each other on a second port, 10,000 above. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port <= 55_000) return port;
    const below = port - 20_000;
    if (await isFree(below)) return below;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}
