import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createManualClock, MINUTE_MS, StartError, silentLogger } from '../../src/base/index.ts';
import {
  createMetrics,
  createMetricsHub,
  type OpsParts,
  type OpsServer,
  serveOps,
} from '../../src/telemetry/index.ts';
import { routeKind } from '../../src/telemetry/route-kind.ts';

describe('the ops port', () => {
  const opened: OpsServer[] = [];
  afterEach(async () => {
    for (const server of opened.splice(0)) await server.close();
  });
  const open = async (parts: Partial<OpsParts> = {}) => {
    const all = {
      metrics: async () => 'a 1\n',
      isHealthy: () => true,
      isReady: () => true,
      logger: silentLogger,
    };
    const server = await serveOps({ address: '127.0.0.1', port: 0 }, { ...all, ...parts });
    opened.push(server);
    return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
  };

  it('W-16: says yes or no about health and nothing else', async () => {
    const yes = await open();
    const no = await open({ isHealthy: () => false, isReady: async () => false });
    for (const path of ['/healthz', '/readyz']) {
      const [good, bad] = [await yes(path), await no(path)];
      assert.deepEqual([good.status, await good.text()], [200, 'ok\n']);
      assert.deepEqual([bad.status, await bad.text()], [503, 'no\n']);
      assert.equal(good.headers.get('server'), null);
      assert.equal(good.headers.get('x-powered-by'), null);
    }
  });

  it('answers 503 without a reason when a check itself fails', async () => {
    const broken = await open({ isReady: () => Promise.reject(new Error('postgres://secret@db')) });
    const answer = await broken('/readyz');
    assert.deepEqual([answer.status, await answer.text()], [503, 'no\n']);
  });

  it('serves metrics as Prometheus reads them', async () => {
    const answer = await (await open())('/metrics');
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.equal(await answer.text(), 'a 1\n');
  });

  it('W-15: serves nothing else and changes nothing', async () => {
    const ask = await open();
    for (const path of ['/', '/debug', '/metrics/', '/v2/', '/../metrics', '/%6detrics']) {
      assert.equal((await ask(path)).status, path === '/../metrics' ? 200 : 404);
    }
    for (const method of ['POST', 'PUT', 'DELETE'])
      assert.equal((await ask('/metrics', { method })).status, 405);
    assert.equal((await ask('/healthz', { method: 'HEAD' })).status, 200);
  });

  it('refuses to start on a port that is taken, and says how to mend it', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const parts = {
      metrics: async () => '',
      isHealthy: () => true,
      isReady: () => true,
      logger: silentLogger,
    };
    await assert.rejects(serveOps({ address: '127.0.0.1', port }, parts), (error) => {
      assert.ok(error instanceof StartError);
      assert.match(
        error.message,
        new RegExp(`127\\.0\\.0\\.1:${port} .* cannot be listened on: another process .*--ops-port`),
      );
      return true;
    });
    taken.close();
  });
});

describe('metrics', () => {
  it('are summed over the processes of the node', async () => {
    const clock = createManualClock();
    const hub = createMetricsHub(clock);
    for (const [process, count] of [
      ['w1', 2],
      ['w2', 3],
    ] as const) {
      const metrics = createMetrics();
      for (let i = 0; i < count; i += 1) metrics.decided({ action: 'pull', outcome: 'allowed' });
      metrics.judged('block');
      metrics.scanned({ scanner: 'inspector', status: 'done', durationMs: 1500 });
      metrics.recorded({ isDurable: true, durationMs: 1 });
      metrics.recorded({ isDurable: false, durationMs: 5000 });
      metrics.gauge({ name: 'dockgate_scan_queue', help: 'Waiting scans.', read: () => 4 });
      // As it travels between the processes.
      await hub.report(process, JSON.parse(JSON.stringify(await metrics.snapshot())));
      metrics.close();
    }
    const page = await hub.print();
    assert.match(page, /^dockgate_decisions_total\{action="pull",outcome="allowed"\} 5$/m);
    assert.match(page, /^dockgate_verdicts_total\{outcome="block"\} 2$/m);
    assert.match(
      page,
      /^dockgate_scan_duration_seconds_bucket\{le="2",scanner="inspector",status="done"\} 2$/m,
    );
    assert.match(page, /^dockgate_audit_write_duration_seconds_count 2$/m);
    assert.match(page, /^dockgate_audit_write_failures_total 2$/m);
    assert.match(page, /^dockgate_scan_queue 8$/m);
    assert.match(page, /^nodejs_eventloop_lag_seconds /m);
    clock.advance(MINUTE_MS + 1);
    assert.doesNotMatch(await hub.print(), /dockgate_decisions_total\{/);
  });

  it('count the requests of a server by kind of route, and never by name', async () => {
    const metrics = createMetrics();
    const server = createServer((_request, response) => response.writeHead(404).end());
    metrics.observeServer(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await (await fetch(`http://127.0.0.1:${port}/v2/team/secret-app/manifests/1`)).text();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const hub = createMetricsHub(createManualClock());
    await hub.report('w1', await metrics.snapshot());
    const page = await hub.print();
    assert.match(
      page,
      /dockgate_request_duration_seconds_count\{route="manifests",method="GET",status="4xx"\} 1/,
    );
    assert.doesNotMatch(page, /secret-app/);
  });

  it('know the kinds of routes', () => {
    const kinds = {
      '/v2/': 'base',
      '/v2/a/b/manifests/latest?x': 'manifests',
      '/v2/a/manifests/blobs/sha256:1': 'blobs',
      '/v2/a/blobs/uploads/': 'uploads',
      '/v2/a/blobs/uploads/xyz': 'uploads',
      '/v2/a/tags/list?n=1': 'tags',
      '/v2/a/referrers/sha256:1': 'referrers',
      '/v2/_catalog': 'catalog',
      '/v2/nothing': 'other',
      '/token?scope=x': 'token',
      '/api/v1/users': 'api',
      '/': 'other',
      '': 'other',
    };
    for (const [url, kind] of Object.entries(kinds)) assert.equal(routeKind(url), kind, url);
  });
});
