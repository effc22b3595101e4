import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkClock, judgeDisk } from '../../src/app/doctor-checks.ts';
import { runDoctor } from '../../src/app/index.ts';
import {
  createManualClock,
  DAY_MS,
  GiB,
  HOUR_MS,
  silentLogger,
  systemClock,
  systemRandom,
} from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { openStoreWrites } from '../../src/store/index.ts';
import { openTls } from '../../src/tls/index.ts';
import { type RedisServer, reserveRedisServer } from '../cluster/redis-server.ts';
import { runCli } from '../support/dockgate.ts';
import { freePort } from '../support/free-port.ts';

const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };

describe('the doctor', function () {
  this.timeout(120_000);
  let folder: string;
  let opsPort: number;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dockgate-doctor-'));
    opsPort = await freePort();
    writeFileSync(join(folder, 'dockgate.yaml'), '{}\n');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const options = (set: readonly string[] = []) => ({
    ...{ config: join(folder, 'dockgate.yaml'), data: join(folder, 'data'), certs: join(folder, 'certs') },
    ...{ opsPort: String(opsPort), set },
  });
  async function examine(
    name: string,
    set: readonly string[] = [],
    environment: Record<string, string> = {},
  ) {
    const checks = await runDoctor(options(set), environment);
    const found = checks.find((check) => check.name === name);
    assert.ok(found, `there is a check named ${name}`);
    return { ...found, others: checks.filter((check) => check.name !== name && !check.isHealthy) };
  }
  /** What a first start makes, as far as the doctor looks at it. */
  async function prepare(given: { clock?: typeof systemClock; names?: readonly string[] } = {}) {
    const { config } = await loadConfig({ options: options(), environment: {}, directory: folder });
    const store = await openStoreWrites(
      { directory: join(folder, 'data') },
      { ...parts, publish: async () => {} },
    );
    await store.close();
    const names = given.names ?? ['localhost', '127.0.0.1', '::1', (await import('node:os')).hostname()];
    const tls = await openTls(
      { directory: config.certsDirectory, names, mayIssue: true },
      { ...parts, clock: given.clock ?? systemClock },
    );
    tls.close();
  }
  const at = (ms: number) => ({ ...systemClock, nowMs: () => systemClock.nowMs() + ms });

  it('finds nothing on what a first start has made', async () => {
    await prepare();
    const failing = (await runDoctor(options(), {})).filter(
      (check) => !check.isHealthy && check.name !== 'disk',
    );
    assert.deepEqual(failing, []);
  });

  it('looks before the first start without making anything, and says to start', async () => {
    const { isHealthy, text, mend } = await examine('database');
    assert.deepEqual([isHealthy, mend], [false, 'start the server once: it makes what is missing']);
    assert.match(text, /there is no .*dockgate\.db/);
    assert.match((await examine('certificates')).text, /there is no server\.crt/);
    assert.deepEqual(readdirSync(folder), ['dockgate.yaml']);
  });

  it('finds a configuration that cannot be used, with line and key', async () => {
    writeFileSync(join(folder, 'dockgate.yaml'), 'port: 8443\nprot: 1\n');
    const { isHealthy, mend } = await examine('configuration');
    assert.equal(isHealthy, false);
    assert.match(String(mend), /dockgate\.yaml:2:1: prot: /);
  });

  it('P-19: finds variables that weaken the server, by name and not by value', async () => {
    const { isHealthy, text, mend } = await examine('environment', [], {
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      HTTPS_PROXY: 'http://user:secret@proxy',
    });
    assert.equal(isHealthy, false);
    assert.match(text, /NODE_TLS_REJECT_UNAUTHORIZED certificates of upstreams/);
    assert.equal(mend, 'unset HTTPS_PROXY NODE_TLS_REJECT_UNAUTHORIZED');
    assert.equal(text.includes('secret'), false);
  });

  it('notes a variable that may be meant, and does not fail for it', async () => {
    const environment = { NODE_EXTRA_CA_CERTS: '/etc/ssl/corp.pem' };
    const { isHealthy, text, mend } = await examine('environment', [], environment);
    assert.equal(isHealthy, true);
    assert.match(text, /NODE_EXTRA_CA_CERTS adds authorities/);
    assert.equal(mend, 'unset NODE_EXTRA_CA_CERTS, unless it is meant');
  });

  it('notes a server whose ops port it was not told', async () => {
    await prepare();
    const server = createHttpServer();
    server.listen(join(folder, 'data', 'dockgate.sock'));
    await once(server, 'listening');
    try {
      const { isHealthy, text, mend } = await examine('server');
      assert.equal(isHealthy, true);
      assert.match(text, /running on this data, but nothing answers on 127\.0\.0\.1:/);
      assert.match(String(mend), /--ops-port/);
    } finally {
      server.close();
    }
  });

  it('F-42: finds a certificate that ends soon, and one that has ended', async () => {
    await prepare({ clock: at(-365 * DAY_MS) });
    const ended = await examine('certificates');
    assert.equal(ended.isHealthy, false);
    assert.match(ended.text, /the certificate ended 20\d\d-/);
    assert.match(String(ended.mend), /renew it/);
  });

  it('finds names that the certificate lacks', async () => {
    await prepare();
    const found = await examine('certificates', ['publicUrl=https://reg.corp:8443']);
    assert.deepEqual([found.isHealthy, found.text], [false, 'the certificate lacks reg.corp']);
  });

  it('finds a certificate that is none', async () => {
    await prepare();
    writeFileSync(join(folder, 'certs/server.crt'), 'garbage');
    const found = await examine('certificates');
    assert.equal(found.isHealthy, false);
    assert.match(found.text, /server\.crt/);
  });

  it('F-14: finds a database that is damaged', async () => {
    await prepare();
    writeFileSync(join(folder, 'data/dockgate.db'), 'this is no database at all, only text');
    const { isHealthy, text } = await examine('database');
    assert.equal(isHealthy, false);
    assert.match(text, /dockgate\.db/);
  });

  it('S-01: finds keys and databases that others may read', async () => {
    await prepare();
    chmodSync(join(folder, 'data/dockgate.db'), 0o644);
    chmodSync(join(folder, 'certs/ca.key'), 0o640);
    const { isHealthy, text, mend } = await examine('rights');
    assert.equal(isHealthy, false);
    for (const name of ['dockgate.db', 'ca.key']) assert.match(text, new RegExp(name));
    assert.match(String(mend), /^chmod go= /);
  });

  it('finds a disk that is nearly full', () => {
    assert.equal(judgeDisk(3 * GiB, '/data').isHealthy, true);
    const { isHealthy, text, mend } = judgeDisk(1.5 * GiB, '/data');
    assert.deepEqual([isHealthy, text], [false, '1.5 GiB free in /data']);
    assert.match(String(mend), /nothing is served/);
  });

  it('finds a server that is not ready, and none where none runs', async () => {
    assert.match((await examine('server')).text, /not running/);
    const server = createHttpServer((_request, response) => response.writeHead(503).end('no\n'));
    server.listen(opsPort, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { isHealthy, text } = await examine('server');
      assert.deepEqual([isHealthy, text], [false, 'running and not ready']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('finds an upstream that is away', async () => {
    const port = await freePort();
    const { isHealthy, text, mend } = await examine('upstream (all)', [
      `upstreams=[{url: "http://127.0.0.1:${port}"}]`,
    ]);
    assert.equal(isHealthy, false);
    assert.ok(text.length > 0);
    assert.match(String(mend), new RegExp(`is http://127.0.0.1:${port} up`));
  });

  describe('asked about Redis', () => {
    let redis: RedisServer;
    before(async () => {
      redis = await reserveRedisServer();
      await redis.start();
    });
    after(() => redis.remove());

    it('is content when it answers', async () => {
      const { isHealthy, text } = await examine('redis', [`redis.url=${redis.url}`]);
      assert.deepEqual([isHealthy, text], [true, `${new URL(redis.url).host} answers`]);
    });

    it('finds one that is away', async () => {
      const port = await freePort();
      const { isHealthy, text } = await examine('redis', [`redis.url=redis://127.0.0.1:${port}`]);
      assert.equal(isHealthy, false);
      assert.match(text, /cannot be used: .*ECONNREFUSED/);
    });

    it('finds one that accepts connections and says nothing', async () => {
      const silent: Server = createServer(() => {}).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const address = silent.address();
      const port = typeof address === 'object' ? address?.port : 0;
      try {
        assert.equal((await examine('redis', [`redis.url=redis://127.0.0.1:${port}`])).isHealthy, false);
      } finally {
        silent.close();
      }
    });
  });

  it('finds a clock that cannot be right, and one behind the access log', async () => {
    await prepare();
    const { config } = await loadConfig({ options: options(), environment: {}, directory: folder });
    assert.equal((await checkClock(config, createManualClock(0))).isHealthy, false);
    assert.equal((await checkClock(config, systemClock)).isHealthy, true);
    const store = await openStoreWrites(
      { directory: join(folder, 'data') },
      { ...parts, publish: async () => {} },
    );
    const time = new Date(systemClock.nowMs() + HOUR_MS).toISOString();
    await store.recordIndex.append([
      {
        index: 0,
        record: {
          ...{ v: 1, id: 'a', time, node: 'n', writer: 'w', seq: 1, kind: 'decision', requestId: 'r' },
          ...{ action: 'pull', outcome: 'allowed', status: 200 },
        },
      },
    ]);
    await store.close();
    const { isHealthy, text, mend } = await examine('clock');
    assert.equal(isHealthy, false);
    assert.match(text, /the newest access record says/);
    assert.match(String(mend), /set the clock/);
  });

  it('exits 1 when something fails, with how to mend it, and prints the same as JSON', async () => {
    const args = [
      'doctor',
      '--config',
      join(folder, 'dockgate.yaml'),
      '--certs',
      join(folder, 'certs'),
      '--ops-port',
      String(opsPort),
    ];
    const plain = await runCli(['--data', join(folder, 'data'), ...args], { cwd: folder });
    assert.equal(plain.code, 1);
    assert.match(plain.stdout, /^FAIL {2}database: there is no .*\n {6}mend: start the server once/m);
    assert.match(plain.stderr, /\d of \d+ checks failed/);
    const machine = await runCli(['--json', '--data', join(folder, 'data'), ...args], { cwd: folder });
    assert.equal(machine.code, 1);
    assert.ok(JSON.parse(machine.stdout).some((check: { isHealthy: boolean }) => !check.isHealthy));
  });
});
