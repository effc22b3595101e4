import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Change, StartError } from '../../src/base/index.ts';
import {
  type PostgresTarget,
  StoreConflict,
  StoreUnavailable,
  type StoreWrites,
} from '../../src/store/index.ts';
import { LOCKS, lockCall } from '../../src/store/postgres/locks.ts';
import { digestOf, repository } from '../contracts/store-bench.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { openReplica, targetOf } from './postgres-bench.ts';

const APP = repository('team/app');

describe('replicas of one PostgreSQL', function () {
  this.timeout(120_000);
  this.slow(4000);
  let server: PostgresServer;
  let directory: string;
  let target: PostgresTarget;
  const opened: StoreWrites[] = [];
  before(async () => {
    server = await startPostgres();
  });
  after(() => server?.remove());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-replicas-'));
    target = targetOf(server, await server.createDatabase());
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await rm(directory, { recursive: true });
  });

  async function open(name: string, publish?: (changes: readonly Change[]) => Promise<void>) {
    const store = await openReplica(join(directory, name), target, undefined, publish);
    opened.push(store);
    return store;
  }
  async function openPair() {
    return Promise.all([open('a'), open('b')]);
  }
  /** Who waits for an advisory lock. */
  async function waitersFor({ url }: PostgresTarget): Promise<number> {
    const waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted";
    return (await server.query(url, waiting)).length;
  }
  const user = (name: string) => ({
    ...({ kind: 'user', id: `id-${name}`, name, secretHash: 'x', isDisabled: false } as const),
    ...{ notBeforeMs: 0, createdAtMs: 0 },
  });
  const admin = (name: string) =>
    ({ role: 'admin', pattern: '**', subject: { kind: 'user', name }, effect: 'allow' }) as const;

  it('start at the same moment on an empty database, and each sees what the other writes', async () => {
    const [a, b] = await openPair();
    await a.accounts.addAccount(user('anna'));
    assert.equal((await b.accounts.findAccountByName('user', 'anna'))?.id, 'id-anna');
  });

  it('keep an admin, whichever of them two admins ask at the same moment, W-07', async () => {
    const [a, b] = await openPair();
    for (const name of ['anna', 'bert']) {
      await a.accounts.addAccount(user(name));
      await a.accounts.addGrant(admin(name));
    }
    const outcomes = await Promise.allSettled([
      a.accounts.removeGrant(admin('anna')),
      b.accounts.removeGrant(admin('bert')),
    ]);
    const refused = outcomes.filter((one) => one.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.ok(refused[0]?.reason instanceof StoreConflict);
    assert.equal((await a.accounts.listGrants()).length, 1);
  });

  it('write one after the other: who asks meanwhile waits, W-07', async () => {
    const store = await open('a');
    const other = await server.connect(target.url);
    let isWritten = false;
    try {
      await other.query(lockCall('pg_advisory_lock', LOCKS.writers));
      const writing = store.accounts.addAccount(user('anna')).then(() => {
        isWritten = true;
      });
      await until(async () => isWritten || (await waitersFor(target)) === 1, 'the write waits, or is done');
      assert.equal(isWritten, false, 'it was written while another replica had its turn');
      await other.query('select pg_advisory_unlock_all()');
      await writing;
    } finally {
      await other.end();
    }
  });

  it('give each scan to one of them', async () => {
    const [a, b] = await openPair();
    for (let at = 0; at < 20; at++) {
      await a.jobs.put({ repository: APP, digest: digestOf(`m${at}`), priority: 'pull' }, at);
    }
    const taken: string[] = [];
    const drain = async (store: StoreWrites) => {
      for (let job = await store.jobs.take(100, 60_000); job; job = await store.jobs.take(100, 60_000)) {
        taken.push(job.digest);
      }
    };
    await Promise.all([drain(a), drain(b)]);
    assert.equal(taken.length, 20);
    assert.equal(new Set(taken).size, 20);
  });

  it('log each change with what it changed, in the order of their transactions, for the others, V-22', async () => {
    const [a, b] = await openPair();
    const log = b.replicas?.changes;
    assert.ok(log);
    const start = await log.newest();
    await a.accounts.addAccount(user('anna'));
    await b.accounts.addAccount(user('bert'));
    await assert.rejects(a.accounts.addAccount(user('anna')));
    await a.accounts.addGrant(admin('anna'));
    const { entries, newest } = await log.after(start);
    assert.deepEqual(
      entries.map(({ changes }) => changes),
      [[{ topic: 'access', key: 'id-anna' }], [{ topic: 'access' }]],
    );
    assert.equal(await log.newest(), newest);
    assert.deepEqual((await log.after(newest)).entries, []);
  });

  it('forget old changes, never the newest, from which numbers are counted on', async () => {
    const [a] = await openPair();
    const log = a.replicas?.changes;
    assert.ok(log);
    for (const name of ['anna', 'bert']) await a.accounts.addAccount(user(name));
    const newest = await log.newest();
    await log.prune();
    assert.equal((await server.query(target.url, 'select 1 from changes')).length >= 2, true);
    await server.query(target.url, 'update changes set at_ms = 0');
    await log.prune();
    assert.equal((await server.query(target.url, 'select 1 from changes')).length, 1);
    assert.equal(await log.newest(), newest);
  });

  it('do alone what only one may do at a time', async () => {
    const [a, b] = await openPair();
    assert.ok(a.replicas && b.replicas);
    const { alone } = a.replicas;
    const { alone: other } = b.replicas;
    const steps: string[] = [];
    await alone.unlessTaken('tidy', async () => {
      steps.push('a');
      assert.equal(await other.unlessTaken('tidy', async () => void steps.push('never')), false);
    });
    assert.equal(await other.unlessTaken('tidy', async () => void steps.push('b')), true);
    let second: Promise<unknown> | undefined;
    await alone.inTurn('start', async () => {
      second = other.inTurn('start', async () => steps.push('d'));
      await until(async () => (await waitersFor(target)) === 1, 'the other waits');
      steps.push('c');
    });
    await second;
    assert.deepEqual(steps, ['a', 'b', 'c', 'd']);
  });

  it('refuse while the server is away, and go on when it is back, F-20', async () => {
    const store = await open('a');
    await store.accounts.addAccount(user('anna'));
    await server.kill();
    await assert.rejects(store.accounts.findAccountByName('user', 'anna'), StoreUnavailable);
    await assert.rejects(store.accounts.addAccount(user('bert')), StoreUnavailable);
    await assert.rejects(store.check(), StoreUnavailable);
    await server.start();
    await until(
      () =>
        store.accounts.findAccountByName('user', 'anna').then(
          (found) => found !== undefined,
          () => false,
        ),
      'reads work again',
    );
    await store.accounts.addAccount(user('bert'));
  });

  it('do not start with a wrong password, an unknown certificate or the tables of a newer version', async () => {
    const started = (changed: Partial<PostgresTarget>) =>
      openReplica(join(directory, 'x'), { ...target, ...changed }).then((store) => store.close());
    const saying = (pattern: RegExp) => (error: unknown) =>
      error instanceof StartError && pattern.test(error.message) && !error.message.includes('hunter2');
    await assert.rejects(started({ password: 'hunter2' }), saying(/password authentication failed/));
    await assert.rejects(started({ tls: {} }), saying(/certificate|self.signed|verify/));
    await started({ tls: { caPem: server.ca } });
    await server.query(target.url, "insert into schema_history values ('main', 9999, 'future')");
    await assert.rejects(started({}), saying(/newer dockgate/));
  });

  // The last: nothing can be written there afterwards.
  it('read nothing from a standby, which may not have heard yet that a right was taken', async () => {
    const store = await open('a');
    await store.accounts.addAccount(user('anna'));
    await server.becomeStandby();
    await until(
      () =>
        store.check().then(
          () => false,
          (error: StoreUnavailable) => String(error.cause).includes('standby'),
        ),
      'a new connection is refused',
    );
    await assert.rejects(store.accounts.findAccountByName('user', 'anna'), StoreUnavailable);
  });
});
