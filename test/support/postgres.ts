import { execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { chmodSync, chownSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createTestCertificate } from './certificates.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const PASSWORD = 'not-a-secret';
const HOST = '127.0.0.1';

/** A real PostgreSQL server over a folder of its own. */
export interface PostgresServer {
  readonly port: number;
  readonly password: string;
  /** PEM of the authority that its certificate is from. */
  readonly ca: string;
  /** The address of an empty database of its own. */
  createDatabase(): Promise<string>;
  /** As the user of the tests, who may do everything there. */
  query(url: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** A session of that user's, which its caller ends. */
  connect(url: string): Promise<pg.Client>;
  pid(): number;
  /** Ends it at once, connections and all; `start` brings it back on the same port. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it properly; it comes back as a standby, which only reads. */
  becomeStandby(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts one. As root it runs as the user `postgres`, since the server refuses to be root. */
export async function startPostgres(): Promise<PostgresServer> {
  const [programs] = globSync('/usr/lib/postgresql/*/bin').toSorted().reverse();
  if (programs === undefined) throw new Error('there is no PostgreSQL: run sh test/setup.sh');
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-pg-'));
  const user = process.geteuid?.() === 0 ? userOf('postgres') : undefined;
  const own = (path: string) => {
    if (user) chownSync(path, user.uid, user.gid);
  };
  own(folder);
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  own(data);
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, PASSWORD);
  own(passwordFile);
  execFileSync(
    join(programs, 'initdb'),
    [
      '-D',
      data,
      '-U',
      'dockgate',
      '-A',
      'scram-sha-256',
      '--pwfile',
      passwordFile,
      '--no-sync',
      '-E',
      'UTF8',
    ],
    { ...user, cwd: folder, stdio: 'pipe' },
  );
  const authority = createTestCertificate();
  const server = createTestCertificate({ issuer: authority });
  for (const [name, text] of [
    ['server.crt', server.certificate],
    ['server.key', server.key],
  ] as const) {
    writeFileSync(join(data, name), text);
    chmodSync(join(data, name), 0o600);
    own(join(data, name));
  }
  const port = await freePort();
  const args = [
    ...['-D', data, '-p', `${port}`, '-k', folder, '-F', '-c', `listen_addresses=${HOST}`, '-c', 'ssl=on'],
    ...['-c', 'max_connections=200', '-c', 'shared_buffers=32MB'],
  ];
  let child = start();
  let databaseCount = 0;

  function start() {
    const options: SpawnOptions = { ...user, cwd: folder, stdio: 'ignore' };
    return spawn(join(programs ?? '', 'postgres'), args, options);
  }
  const urlOf = (database: string) => `postgres://dockgate@${HOST}:${port}/${database}`;
  const session = (url: string) => new pg.Client(url.replace('@', `:${PASSWORD}@`)).on('error', () => {});
  async function connect(url: string) {
    const client = session(url);
    await client.connect();
    return client;
  }
  async function query(url: string, text: string) {
    const client = session(url);
    try {
      await client.connect();
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }
  const answers = () =>
    query(urlOf('postgres'), 'select 1').then(
      () => true,
      () => false,
    );
  // "Immediate shutdown": its children end as well, nothing is written.
  async function kill(signal: NodeJS.Signals = 'SIGQUIT') {
    const ended = child;
    if (ended.exitCode !== null || ended.signalCode !== null) return;
    await new Promise((resolve) => {
      ended.once('exit', resolve);
      ended.kill(signal);
    });
  }
  await until(answers, 'PostgreSQL answers');
  const startAgain = async () => {
    child = start();
    await until(answers, 'PostgreSQL answers again');
  };
  return {
    ...{ port, password: PASSWORD, ca: authority.certificate, query, connect },
    kill: () => kill(),
    async createDatabase() {
      const name = `test_${++databaseCount}`;
      await query(urlOf('postgres'), `create database ${name}`);
      return urlOf(name);
    },
    pid: () => child.pid ?? 0,
    start: startAgain,
    async becomeStandby() {
      await kill('SIGINT');
      writeFileSync(join(data, 'standby.signal'), '');
      own(join(data, 'standby.signal'));
      await startAgain();
    },
    async remove() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function userOf(name: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
