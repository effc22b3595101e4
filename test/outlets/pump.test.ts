import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { backoffMs } from '../../src/outlets/backoff.ts';
import { createCursorFile } from '../../src/outlets/cursor-file.ts';
import { createHttpReceiver } from '../../src/outlets/http.ts';
import type { Receiver } from '../../src/outlets/ports.ts';
import { Pump } from '../../src/outlets/pump.ts';
import { until } from '../support/until.ts';
import { createMemoryCursor, createMemorySource, indexesOf, startHttp } from './lab.ts';

const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
const options = { name: 'siem', kind: 'http', batchCount: 10, intervalMs: 5, sendMsMax: 30_000 };
const from = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);

describe('an outlet', function () {
  this.timeout(120_000);

  it('sends every record in order past a receiver that answers 500 and cuts connections', async () => {
    const http = await startHttp(({ count }, response) => {
      if (count === 1) response.writeHead(500).end();
      else if (count === 2) response.destroy();
      else response.writeHead(204).end();
    });
    const source = createMemorySource();
    source.grow(25);
    const cursor = createMemoryCursor();
    const receiver = createHttpReceiver({ url: http.url, format: 'json' }, base);
    const pump = new Pump(options, { ...base, source, cursor, receiver });
    try {
      await until(() => cursor.saved() === 25, 'everything is delivered');
      source.grow(5);
      await until(() => cursor.saved() === 30 && pump.state().isHealthy, 'what came later is delivered');
      assert.deepEqual(
        http.requests.slice(2).flatMap(({ body }) => indexesOf(body)),
        from(0, 30),
      );
      await until(() => pump.state().lag === 0, 'nothing is behind');
      assert.equal(typeof pump.state().lastError, 'string');
    } finally {
      await pump.close();
      await http.close();
    }
  });

  it('gives up on a receiver that never answers, says so, and sends the same records again', async () => {
    const http = await startHttp(({ count }, response) => {
      if (count > 1) response.writeHead(200).end();
    });
    const source = createMemorySource();
    source.grow(3);
    const cursor = createMemoryCursor();
    const receiver = createHttpReceiver({ url: http.url, format: 'json' }, base);
    const pump = new Pump({ ...options, sendMsMax: 1000 }, { ...base, source, cursor, receiver });
    try {
      await until(() => pump.state().lastError !== undefined, 'the silence counts as a failure');
      await until(() => cursor.saved() === 3, 'the records come again');
      assert.deepEqual(indexesOf(http.requests.at(-1)?.body ?? ''), [0, 1, 2]);
    } finally {
      await pump.close();
      await http.close();
    }
  });

  it('moves its cursor only after what it sent was taken, so that a restart leaves no gap', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dockgate-outlet-'));
    const path = join(folder, 'siem');
    const source = createMemorySource();
    source.grow(30);
    let isTaking = (count: number): boolean => count === 1;
    const http = await startHttp(({ count }, response) => {
      response.writeHead(isTaking(count) ? 200 : 503).end();
    });
    const open = () => {
      const receiver = createHttpReceiver({ url: http.url, format: 'json' }, base);
      return new Pump(options, { ...base, source, cursor: createCursorFile(path), receiver });
    };
    try {
      const first = open();
      await until(() => first.state().lastError !== undefined, 'the second batch is refused');
      await first.close();
      assert.equal(await readFile(path, 'utf8'), '10\n');
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      const before = http.requests.length;
      isTaking = () => true;
      const second = open();
      await until(() => second.state().next === 30, 'the rest is delivered');
      await second.close();
      assert.deepEqual(
        http.requests.slice(before).flatMap(({ body }) => indexesOf(body)),
        from(10, 20),
      );
    } finally {
      await http.close();
      await rm(folder, { recursive: true });
    }
  });

  it('guesses nothing where its cursor is damaged', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dockgate-outlet-'));
    await writeFile(join(folder, 'siem'), 'soon');
    await assert.rejects(createCursorFile(join(folder, 'siem')).load(), /holds no number of a record/);
    await rm(folder, { recursive: true });
  });

  it('sends the batch before once more where a receiver has no answers and the connection was lost', async () => {
    const source = createMemorySource();
    source.grow(30);
    const cursor = createMemoryCursor();
    const sent: number[] = [];
    let calls = 0;
    const receiver: Receiver = {
      isConfirmed: false,
      async send(records) {
        calls += 1;
        if (calls === 3) throw new Error('the connection was lost');
        sent.push(...records.map(({ index }) => index));
        return undefined;
      },
      close: async () => {},
    };
    const pump = new Pump(options, { ...base, source, cursor, receiver });
    await until(() => pump.state().next === 30 && pump.state().isHealthy, 'everything is sent');
    await pump.close();
    assert.deepEqual(sent, [...from(0, 20), ...from(10, 20)]);
    assert.equal(cursor.saved(), 20, 'after a restart the last batch comes again');
  });

  it('signs a body with its time as Standard Webhooks does', async () => {
    const http = await startHttp((_request, response) => response.writeHead(200).end());
    const source = createMemorySource();
    source.grow(2);
    const receiver = createHttpReceiver({ url: http.url, format: 'ocsf', secret: 'shared' }, base);
    const pump = new Pump(options, { ...base, source, cursor: createMemoryCursor(), receiver });
    await until(() => pump.state().next === 2, 'it is delivered');
    await pump.close();
    await http.close();
    const [request] = http.requests;
    assert.ok(request !== undefined);
    const { headers, body } = request;
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    assert.equal(
      headers['webhook-signature'],
      `v1,${createHmac('sha256', 'shared').update(signed).digest('base64')}`,
    );
    assert.equal(headers['webhook-id'], 'n1-0-1');
    assert.equal(JSON.parse(body).records[0].record.metadata.uid, 'record-0');
  });
});

describe('the wait after failures', () => {
  it('doubles up to a minute, and is never shorter than half of that', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(255), (failures, byte) => {
        const waitMs = backoffMs(failures, { bytes: () => Uint8Array.of(byte) });
        const longest = Math.min(60_000, 500 * 2 ** Math.min(failures - 1, 20));
        assert.ok(waitMs >= longest / 2 && waitMs <= longest);
      }),
    );
  });
});
