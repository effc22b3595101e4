import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Change, StartError, silentLogger, systemClock } from '../../src/base/index.ts';
import { encodeFrame } from '../../src/cluster/frames.ts';
import {
  connectRpc,
  type RpcClient,
  type RpcParts,
  type RpcServer,
  remotePart,
  serveRpc,
} from '../../src/cluster/index.ts';
import { Fault } from '../../src/oci/index.ts';
import { until } from './until.ts';

const WORKER = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
const parts = { logger: silentLogger };

interface Sums {
  add(left: number, right: number): Promise<number>;
  echo(value: unknown): Promise<unknown>;
  refuse(): Promise<void>;
  crash(): Promise<void>;
  never(): Promise<void>;
  slow(ms: number): Promise<number>;
}

const sums: Sums = {
  add: async (left, right) => left + right,
  echo: async (value) => value,
  refuse: async () => {
    throw new Fault('DG_STORE_CONFLICT', 'DENIED', 'the name is taken', new Error('secret path'), {
      status: 409,
      headers: { 'retry-after': '3' },
    });
  },
  crash: async () => {
    throw new Error('password is hunter2');
  },
  never: () => new Promise(() => {}),
  slow: (ms) => new Promise((resolve) => setTimeout(() => resolve(ms), ms)),
};

describe('the line between the processes of a node', () => {
  let dir: string;
  let socketPath: string;
  const opened: { close(): unknown }[] = [];
  const children: ChildProcess[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'dockgate-rpc-'));
    socketPath = join(dir, 'house.sock');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const one of opened.splice(0).reverse()) await one.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function serve(offered: RpcParts = { sums }, options = {}): Promise<RpcServer> {
    const server = await serveRpc({ socketPath, ...options }, offered, parts);
    opened.push(server);
    return server;
  }

  function connect(options = {}, clock = systemClock): RpcClient {
    const client = connectRpc({ socketPath, ...options }, { clock, logger: silentLogger });
    opened.push(client);
    return client;
  }

  async function startWorker(server: RpcServer, how = ''): Promise<{ child: ChildProcess; lines: string[] }> {
    const before = server.connectionCount();
    const child = spawn(process.execPath, [WORKER, socketPath, how], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines: string[] = [];
    child.stdout?.on('data', (chunk) => lines.push(...String(chunk).trim().split('\n')));
    await until(() => server.connectionCount() > before && lines.includes('lost Infinity'));
    return { child, lines };
  }

  describe('carries calls', () => {
    it('with their arguments and results, many at a time', async () => {
      await serve();
      const remote = remotePart<Sums>(connect(), 'sums');
      const results = await Promise.all(Array.from({ length: 500 }, (_, index) => remote.add(index, 1)));
      assert.deepEqual(
        results,
        Array.from({ length: 500 }, (_, index) => index + 1),
      );
      assert.deepEqual(await remote.echo({ a: [1, null, 'ü'] }), { a: [1, null, 'ü'] });
      assert.equal(await remote.echo(undefined), null);
    });

    it('and a slow one holds up no other', async () => {
      await serve();
      const remote = remotePart<Sums>(connect(), 'sums');
      const order: string[] = [];
      const slow = remote.slow(200).then(() => order.push('slow'));
      await remote.add(1, 1).then(() => order.push('quick'));
      await slow;
      assert.deepEqual(order, ['quick', 'slow']);
    });

    it('and a fault with its code, status and headers but not its cause', async () => {
      await serve();
      await assert.rejects(remotePart<Sums>(connect(), 'sums').refuse(), (error: unknown) => {
        assert.ok(error instanceof Fault);
        assert.equal(error.code, 'DG_STORE_CONFLICT');
        assert.equal(error.ociCode, 'DENIED');
        assert.equal(error.status, 409);
        assert.equal(error.message, 'the name is taken');
        assert.deepEqual(error.headers, { 'retry-after': '3' });
        assert.equal(error.cause, undefined);
        return true;
      });
    });

    it('and of a bug nothing but that there was one', async () => {
      await serve();
      await assert.rejects(remotePart<Sums>(connect(), 'sums').crash(), (error: unknown) => {
        assert.ok(error instanceof Fault);
        assert.equal(error.code, 'DG_HOUSEKEEPING_FAILED');
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    });

    it('only of functions that are offered by name', async () => {
      class Part {
        async inherited(): Promise<string> {
          return 'reached';
        }
      }
      await serve({ sums: { ...sums, text: 'no function' }, part: new Part() });
      const client = connect();
      for (const method of [
        'sums.constructor',
        'sums.__proto__',
        'sums.toString',
        'sums.text',
        'sums.hasOwnProperty',
        'sums',
        'sums.add.call',
        '__proto__.toString',
        'part.inherited',
        'other.add',
        '',
      ]) {
        await assert.rejects(client.call(method, []), { code: 'DG_HOUSEKEEPING_FAILED' }, method);
      }
    });

    it('and gives up on one that takes too long', async () => {
      await serve();
      const remote = remotePart<Sums>(connect(), 'sums', { timeoutMs: 50 });
      await assert.rejects(remote.never(), { code: 'DG_HOUSEKEEPING_UNAVAILABLE', status: 503 });
    });

    it('but none that is too large, and stays open then', async () => {
      await serve({ sums: { ...sums, large: async () => 'x'.repeat(9 * 1024 * 1024) } });
      const client = connect();
      await assert.rejects(client.call('sums.echo', ['x'.repeat(9 * 1024 * 1024)]), {
        code: 'DG_FRAME_TOO_LARGE',
      });
      await assert.rejects(client.call('sums.large', []), { code: 'DG_FRAME_TOO_LARGE' });
      assert.equal(await client.call('sums.add', [1, 2]), 3);
    });

    it('and a remote part is no promise', async () => {
      await serve();
      const remote = remotePart<Sums>(connect(), 'sums');
      assert.equal(await (await Promise.resolve(remote)).add(1, 2), 3);
    });
  });

  describe('when the other side is away', () => {
    it('answers that it is unavailable', async () => {
      await assert.rejects(connect({ connectWaitMsMax: 50 }).call('sums.add', [1, 2]), {
        code: 'DG_HOUSEKEEPING_UNAVAILABLE',
        status: 503,
      });
    });

    it('waits a moment for it to start', async () => {
      const client = connect();
      const sum = client.call('sums.add', [1, 2]);
      await serve();
      assert.equal(await sum, 3);
    });

    it('fails what was under way and comes back by itself', async () => {
      const server = await serve();
      const client = connect();
      await client.call('sums.add', [1, 2]);
      const hanging = client.call('sums.never', []);
      hanging.catch(() => {});
      await server.close();
      await assert.rejects(hanging, { code: 'DG_HOUSEKEEPING_UNAVAILABLE' });
      await serve();
      assert.equal(await client.call('sums.add', [2, 2]), 4);
    });

    describe('and a call that may be made twice', () => {
      let begun: number;
      const calls = {
        hang: () => {
          begun += 1;
          return new Promise<number>(() => {});
        },
      };
      beforeEach(() => {
        begun = 0;
      });

      it('is made again on each next line, until one holds', async () => {
        let server = await serve({ calls });
        const remote = remotePart<typeof calls>(connect(), 'calls', { repeatable: ['hang'] });
        const hanging = remote.hang();
        for (const times of [1, 2, 3]) {
          await until(() => begun === times);
          await server.close();
          server = await serve({ calls: times < 3 ? calls : { hang: async () => 3 } });
        }
        assert.equal(await hanging, 3);
      });

      it('ends with its time when no line holds', async () => {
        let aheadMs = 0;
        const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
        const server = await serve({ calls });
        const remote = remotePart<typeof calls>(connect({}, clock), 'calls', { repeatable: ['hang'] });
        const refused = assert.rejects(remote.hang(), { code: 'DG_HOUSEKEEPING_UNAVAILABLE' });
        await until(() => begun === 1);
        aheadMs = 10_000;
        await server.close();
        await refused;
        assert.equal(begun, 1);
      });
    });

    it('is heard no more when it only hangs', async () => {
      const silent = createServer((socket) => {
        const welcome = Buffer.from(JSON.stringify({ type: 'welcome', seq: 0 }));
        const head = Buffer.alloc(4);
        head.writeUInt32BE(welcome.length);
        socket.write(Buffer.concat([head, welcome]));
        socket.resume().on('error', () => socket.destroy());
      });
      await new Promise<void>((resolve) => silent.listen(socketPath, resolve));
      opened.push({ close: () => new Promise((resolve) => silent.close(resolve)) });
      const client = connect();
      const hanging = client.call('sums.add', [1, 2]);
      await assert.rejects(hanging, { code: 'DG_HOUSEKEEPING_UNAVAILABLE' });
      client.close();
    });
  });

  describe('is opened', () => {
    it('for this user alone', async () => {
      await serve();
      assert.equal(statSync(socketPath).mode & 0o777, 0o600);
    });

    it('over the socket that a killed process left behind', async () => {
      writeFileSync(socketPath, '');
      await serve();
      assert.equal(await connect().call('sums.add', [1, 2]), 3);
    });

    it('not where another process listens', async () => {
      await serve();
      await assert.rejects(serveRpc({ socketPath }, {}, parts), StartError);
      assert.equal(await connect().call('sums.add', [1, 2]), 3);
    });

    it('not on a path that is too long, and says what to do', async () => {
      const long = join(dir, 'x'.repeat(120));
      await assert.rejects(serveRpc({ socketPath: long }, {}, parts), /shorter data directory/);
    });

    it('not in a directory that is not there', async () => {
      await assert.rejects(serveRpc({ socketPath: join(dir, 'no', 'x') }, {}, parts), StartError);
    });
  });

  it('is closed on whoever sends what is no message, and stays open for others', async () => {
    const server = await serve();
    const client = connect();
    await client.call('sums.add', [1, 2]);
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\x02{}', '\0\0\0\x04null', '\0\0\0\x03abc']) {
      const socket = createConnection(socketPath);
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.resume();
      socket.write(Buffer.from(bytes, 'latin1'));
      await closed;
    }
    assert.equal(await client.call('sums.add', [1, 2]), 3);
    assert.equal(server.connectionCount(), 1);
  });

  it('is closed on a worker that asks and never reads the answers', async () => {
    const server = await serve({ sums: { large: async () => 'x'.repeat(7 * 1024 * 1024) } });
    const socket = createConnection(socketPath);
    socket.on('error', () => {});
    await until(() => server.connectionCount() === 1);
    for (let id = 1; id <= 12; id++) {
      socket.write(encodeFrame({ type: 'call', id, method: 'sums.large', args: [] }));
    }
    await until(() => server.connectionCount() === 0);
    socket.destroy();
  });

  describe('carries changes', () => {
    it('to this process and every worker before publish resolves', async () => {
      const server = await serve();
      const local: Change[] = [];
      server.changes.onChange((change) => local.push(change));
      const heard: Change[][] = [[], []];
      for (const own of heard) {
        const client = connect();
        client.changes.onChange((change) => own.push(change));
        await client.call('sums.add', [1, 1]);
      }
      const changes: readonly Change[] = [{ topic: 'facts', key: 'sha256:a' }, { topic: 'access' }];
      await server.publish(changes);
      assert.deepEqual([local, ...heard], [changes, changes, changes]);
    });

    it('in summary when there are very many', async () => {
      const server = await serve();
      const client = connect();
      await client.call('sums.add', [1, 1]);
      const heard: Change[] = [];
      client.changes.onChange((change) => heard.push(change));
      await server.publish(Array.from({ length: 5000 }, (_, index) => ({ topic: 'links', key: `${index}` })));
      assert.deepEqual(heard, [{ topic: 'links' }]);
    });

    it('at once when nobody listens', async () => {
      const server = await serve();
      await server.publish([{ topic: 'access' }]);
      await server.publish([]);
    });

    it('and counts as broken for a worker whose handler fails', async () => {
      const server = await serve();
      const client = connect();
      await client.call('sums.add', [1, 1]);
      let lostCount = 0;
      client.changes.onLost(() => lostCount++);
      client.changes.onChange(() => {
        throw new Error('a bug in a cache');
      });
      await server.publish([{ topic: 'access' }]);
      await until(() => lostCount >= 2);
      assert.equal(await client.call('sums.add', [1, 1]), 2);
    });

    it('and loses all that it holds when nobody knows what others changed, V-22', async () => {
      let isWhole = true;
      const server = await serve({ sums }, { isWhole: () => isWhole, beatMs: 20 });
      const client = connect();
      await until(() => client.isConnected());
      let lostCount = 0;
      client.changes.onLost(() => lostCount++);
      assert.equal(client.changes.lifetimeMsMax(), Number.POSITIVE_INFINITY);
      isWhole = false;
      assert.equal(server.changes.lifetimeMsMax(), 2000);
      await server.lose();
      assert.equal(lostCount, 1);
      assert.equal(client.changes.lifetimeMsMax(), 2000);
      await server.publish([{ topic: 'access' }]);
      isWhole = true;
      await until(() => client.changes.lifetimeMsMax() === Number.POSITIVE_INFINITY);
      isWhole = false;
      const late = connect();
      await until(() => late.isConnected());
      assert.equal(late.changes.lifetimeMsMax(), 2000);
    });

    it('to workers that are processes of their own, within milliseconds', async () => {
      const server = await serve();
      const workers = [await startWorker(server), await startWorker(server)];
      await server.publish([{ topic: 'policies' }]);
      for (const { lines } of workers) await until(() => lines.includes('change policies *'));
    });

    it('and cuts off a worker that blocks, after a second', async () => {
      const server = await serve();
      await startWorker(server, 'deaf');
      const startedMs = systemClock.monotonicMs();
      await server.publish([{ topic: 'access' }]);
      const tookMs = systemClock.monotonicMs() - startedMs;
      assert.ok(tookMs >= 1000 && tookMs < 2000, `${tookMs} ms`);
      await until(() => server.connectionCount() === 0);
    });

    it('and waits for no worker that was killed', async () => {
      const server = await serve();
      const { child } = await startWorker(server);
      child.kill('SIGKILL');
      await server.publish([{ topic: 'access' }]);
      await until(() => server.connectionCount() === 0);
    });

    it('and a worker that was stopped loses what it held when it goes on', async () => {
      const server = await serve();
      const { child, lines } = await startWorker(server);
      child.kill('SIGSTOP');
      await server.publish([{ topic: 'facts', key: 'x' }]);
      assert.equal(server.connectionCount(), 0);
      const before = lines.length;
      child.kill('SIGCONT');
      await until(() => lines.slice(before).some((line) => line.startsWith('lost ')));
      await until(() => server.connectionCount() === 1 && lines.slice(before).includes('lost Infinity'));
    });

    it('and a worker loses what it held when the housekeeping process goes', async () => {
      const server = await serve();
      const client = connect();
      await client.call('sums.add', [1, 1]);
      const lost: number[] = [];
      client.changes.onLost(() => lost.push(client.changes.lifetimeMsMax()));
      assert.equal(client.isConnected(), true);
      await server.close();
      await until(() => lost.length === 1);
      assert.deepEqual(lost, [2000]);
      assert.equal(client.isConnected(), false);
      await serve();
      await until(() => lost.length === 2 && client.isConnected());
    });
  });
});
