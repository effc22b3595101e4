import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createManualClock, silentLogger } from '../../src/base/index.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { dockerHub } from '../support/cloud-dialects.ts';
import { startCloudRegistry } from '../support/cloud-registry.ts';
import { digestOf } from '../support/image.ts';
import { until } from '../support/until.ts';
import { answerOf, type Script, withStub } from './stub.ts';

const repository = repositoryOf('library/alpine');
const tag = tagOf('latest');
const blob = digestOf(Buffer.from('x'));
const BUSY = { ociCode: 'TOOMANYREQUESTS', status: 429 };
const AWAY = { code: 'DG_UPSTREAM_UNAVAILABLE', status: 503 };

describe('a registry that asks for patience', () => {
  it('is left alone for as long as it says; its word reaches the client; other questions go on (P-13)', async () => {
    const clock = createManualClock();
    const cloud = await startCloudRegistry(dockerHub, { clock, retryAfter: '90' });
    const options = { url: cloud.registry.url, tokenRealms: [cloud.auth.url] };
    const source = createUpstream(options, { clock, logger: silentLogger });
    const gets = () =>
      cloud.registry.received.filter(({ method, path }) => method === 'GET' && path.includes('/manifests/'))
        .length;
    const read = () => source.readManifest(repository, cloud.image.digest);
    try {
      for (let pull = 0; pull < 3; pull += 1) await read();
      assert.match((await source.check()).note, /; 0 of 3 pulls are left$/);
      await assert.rejects(read(), { ...BUSY, headers: { 'Retry-After': '90' } });
      const asked = gets();
      clock.advance(60_000);
      await assert.rejects(read(), { ...BUSY, headers: { 'Retry-After': '30' } });
      assert.equal(gets(), asked);
      assert.equal(await source.resolve(repository, tag), cloud.image.digest);
      clock.advance(30_000);
      await assert.rejects(read(), BUSY);
      assert.equal(gets(), asked + 1);
    } finally {
      await source.close();
      await cloud.close();
    }
  });

  const date = new Date(Date.now() + 3_600_000).toUTCString();
  const answers: readonly [string, readonly string[], number, RegExp][] = [
    ['429 Too Many', [], 429, /^5$/],
    ['429 Too Many', [`Retry-After: ${date}`], 429, /^3[56]\d\d$/],
    ['429 Too Many', ['Retry-After: 999999'], 429, /^3600$/],
    ['429 Too Many', ['Retry-After: soon'], 429, /^5$/],
    ['503 Busy', ['Retry-After: 7'], 503, /^7$/],
  ];
  for (const [status, headers, expected, seconds] of answers) {
    it(`is heard where it answers ${status} ${headers.join(' ').replace(/ [A-Z].*GMT/, ' a date')}`, async () => {
      await withStub(answerOf(status, headers), async (source, stub) => {
        await assert.rejects(
          source.resolve(repository, tag),
          (error: { status: number; headers: object }) => {
            assert.equal(error.status, expected);
            assert.match(Object.values(error.headers).join(), seconds);
            return true;
          },
        );
        await assert.rejects(source.resolve(repository, tag), BUSY);
        assert.equal(stub.requests.length, 1);
      });
    });
  }

  it('is not asked for what it has no more of, where it says until when', async () => {
    const clock = createManualClock();
    const headers = ['RateLimit-Limit: 10', 'RateLimit-Remaining: 0', 'RateLimit-Reset: 20'];
    await withStub(
      answerOf('404 Not Found', headers),
      async (source, stub) => {
        await source.readManifest(repository, blob);
        await assert.rejects(source.readManifest(repository, blob), BUSY);
        assert.equal(stub.requests.length, 1);
        clock.advance(20_000);
        await source.readManifest(repository, blob);
        assert.equal(stub.requests.length, 2);
      },
      {},
      { clock },
    );
  });
});

describe('a registry that does not answer', () => {
  const circuit = { failuresMax: 3, waitMs: 600_000, waitMsMax: 600_000 };

  it('is left alone after a few questions, and callers hear so at once (F-31)', async () => {
    let connectionCount = 0;
    const server = createServer((socket) => {
      connectionCount += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address !== 'string');
    const parts = { clock: createManualClock(), logger: silentLogger };
    const source = createUpstream({ url: `http://127.0.0.1:${address.port}`, circuit }, parts);
    try {
      for (let count = 0; count < 3; count += 1) await assert.rejects(source.resolve(repository, tag), AWAY);
      const asked = connectionCount;
      await assert.rejects(source.resolve(repository, tag), { ...AWAY, message: /is left alone/ });
      assert.deepEqual((await source.check()).isHealthy, false);
      assert.equal(connectionCount, asked);
    } finally {
      await source.close();
      server.close();
    }
  });

  it('is asked again after a while, and then as before', async () => {
    let isAway = true;
    const script: Script = (_request, socket) => {
      if (isAway) socket.destroy();
      else socket.write(answerOf('404 Not Found'));
    };
    await withStub(
      script,
      async (source) => {
        for (let count = 0; count < 3; count += 1)
          await assert.rejects(source.resolve(repository, tag), AWAY);
        isAway = false;
        const isAnswered = () =>
          source.resolve(repository, tag).then(
            () => true,
            () => false,
          );
        await until(isAnswered, 'an answer after the wait');
        assert.equal(await source.resolve(repository, tag), undefined);
      },
      { circuit: { failuresMax: 3, waitMs: 20, waitMsMax: 50 } },
    );
  });

  it('is not what one is that answers 500, which any caller can bring about (threats 0.9)', async () => {
    await withStub(
      answerOf('500 Internal Server Error'),
      async (source, stub) => {
        for (let count = 0; count < 10; count += 1) await assert.rejects(source.findBlob(repository, blob));
        assert.equal(stub.requests.length, 20);
      },
      { circuit },
    );
  });
});
