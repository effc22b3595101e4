import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { createManualClock, type ManualClock, silentLogger, systemRandom } from '../../src/base/index.ts';
import { createPoster, signatureHeaders } from '../../src/outlets/index.ts';
import type { StoreWrites } from '../../src/store/index.ts';
import { publicLookup } from '../../src/upstream/index.ts';
import { createSender, type Sender } from '../../src/webhooks/sender.ts';
import { openSqlite } from '../store/bench.ts';
import { createTestCertificate } from '../support/certificates.ts';

const KEY = Buffer.from('0123456789abcdef0123456789abcdef');
const SECRET = `whsec_${KEY.toString('base64')}`;
const OLD = 'the secret of before, as text';
const HOUR_MS = 3_600_000;

interface Received {
  readonly id: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

describe('the delivery of a webhook, to a real HTTPS server', function () {
  this.timeout(60_000);
  const certificate = createTestCertificate();
  let server: Server;
  let url: string;
  const received: Received[] = [];
  /** Status by the message's id; 204 for others, and 0 cuts the connection. */
  const answers = new Map<string, number>();
  let clock: ManualClock;
  let store: StoreWrites;
  let close: () => Promise<void>;
  let sender: Sender;
  let poster: ReturnType<typeof createPoster>;
  const stop = new AbortController().signal;

  before(async () => {
    server = createServer({ cert: certificate.certificate, key: certificate.key }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const id = String(request.headers['webhook-id']);
        received.push({ id, body: Buffer.concat(chunks).toString('utf8'), headers: request.headers });
        const status = answers.get(id) ?? 204;
        if (status === 0) response.destroy();
        else response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    url = `https://localhost:${typeof address === 'object' ? address?.port : 0}/in`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  beforeEach(async () => {
    received.length = 0;
    answers.clear();
    clock = createManualClock();
    ({ store, close } = await openSqlite(clock, async () => {}));
    poster = createPoster({ url, ca: certificate.certificate });
    sender = restarted();
  });
  afterEach(async () => {
    await poster.close();
    await close();
  });

  function restarted(): Sender {
    return createSender(
      { name: 'chat', secrets: [SECRET, OLD], retryForMs: HOUR_MS },
      { queue: store.webhooks, poster, clock, random: systemRandom, logger: silentLogger },
    );
  }

  async function queue(...ids: readonly string[]): Promise<void> {
    const messages = ids.map((id) => ({
      id,
      webhook: 'chat',
      event: 'image.blocked',
      body: `{"id":"${id}"}`,
    }));
    await store.webhooks.notice({ messages }, clock.nowMs());
  }

  /** Sends until nothing can be sent now. */
  async function drain(by: Sender = sender): Promise<readonly string[]> {
    const before = received.length;
    while (await by.step(stop));
    return received.slice(before).map(({ id }) => id);
  }

  const counts = async () => (await store.webhooks.counts())[0];

  it('sends every message once, in order, and forgets it', async () => {
    await queue('a', 'b', 'c');
    assert.deepEqual(await drain(), ['a', 'b', 'c']);
    assert.deepEqual(await drain(), []);
    assert.equal(await counts(), undefined);
    assert.deepEqual(
      received.map(({ body }) => body),
      ['{"id":"a"}', '{"id":"b"}', '{"id":"c"}'],
    );
    assert.equal(received[0]?.headers['content-type'], 'application/cloudevents+json');
  });

  it('signs id, time and body as Standard Webhooks says, with each secret while one takes the place of another', async () => {
    await queue('a');
    await drain();
    const { headers, body } = received[0] ?? assert.fail('nothing came');
    const time = String(Math.floor(clock.nowMs() / 1000));
    assert.equal(headers['webhook-timestamp'], time);
    const sign = (key: string | Buffer) =>
      `v1,${createHmac('sha256', key).update(`a.${time}.${body}`).digest('base64')}`;
    assert.equal(headers['webhook-signature'], `${sign(KEY)} ${sign(OLD)}`);
  });

  it('signs the example of the specification as its libraries do', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const message = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      atMs: 1_614_265_330_000,
      body: '{"test": 2432232314}',
    };
    assert.deepEqual(signatureHeaders(message, secret), {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  for (const [what, status] of [
    ['answers 500', 500],
    ['answers 429', 429],
    ['cuts the connection', 0],
  ] as const) {
    it(`tries again later, with the same id, what a receiver that ${what} did not take, and sends nothing behind it before`, async () => {
      answers.set('a', status);
      await queue('a', 'b');
      assert.deepEqual(await drain(), ['a']);
      assert.equal(sender.state().isHealthy, false);
      clock.advance(60_000);
      answers.clear();
      assert.deepEqual(await drain(), ['a', 'b']);
      assert.equal(sender.state().isHealthy, true);
    });
  }

  it('goes on after a restart where it was, with what was tried before', async () => {
    answers.set('a', 503);
    await queue('a', 'b');
    await drain();
    const again = restarted();
    assert.deepEqual(await drain(again), [], 'the wait survives, too');
    clock.advance(60_000);
    answers.clear();
    assert.deepEqual(await drain(again), ['a', 'b']);
  });

  for (const status of [400, 404, 302]) {
    it(`gives up after five tries what is answered ${status}, counts it as dead, and goes on behind it`, async () => {
      answers.set('poison', status);
      await queue('poison', 'b');
      const sent: string[] = [];
      for (let round = 0; round < 7; round++) {
        sent.push(...(await drain()));
        clock.advance(60_000);
      }
      assert.deepEqual(sent, ['poison', 'poison', 'poison', 'poison', 'poison', 'b']);
      assert.deepEqual(await counts(), { webhook: 'chat', waiting: 0, dead: 1 });
      const [dead] = await store.webhooks.listDead('chat', 10);
      assert.match(dead?.reason ?? '', new RegExp(`answered ${status}`));
    });
  }

  it('gives up what no answer came to for as long as is configured', async () => {
    answers.set('a', 0);
    await queue('a');
    await drain();
    clock.advance(HOUR_MS - 1);
    await drain();
    assert.deepEqual(await counts(), { webhook: 'chat', waiting: 1, dead: 0 });
    clock.advance(60_001);
    await drain();
    assert.deepEqual(await counts(), { webhook: 'chat', waiting: 0, dead: 1 });
  });

  it('P-23: sends nothing to a name that leads inside our networks unless that is configured', async () => {
    await poster.close();
    poster = createPoster({ url, ca: certificate.certificate, lookup: publicLookup() });
    sender = restarted();
    await queue('a');
    await drain();
    assert.deepEqual(received, []);
    assert.match(sender.state().lastError ?? '', /reserved address/);
  });

  it('sends nothing to who shows a certificate that is not trusted', async () => {
    await poster.close();
    poster = createPoster({ url });
    sender = restarted();
    await queue('a');
    await drain();
    assert.deepEqual(received, []);
    assert.equal(sender.state().isHealthy, false);
  });

  it('sends a test past what waits, and says why it was not taken', async () => {
    const message = { id: 't', webhook: 'chat', event: 'webhook.test', body: '{}' };
    await sender.sendNow(message);
    answers.set('t', 403);
    await assert.rejects(sender.sendNow(message), /answered 403/);
    assert.equal(received.length, 2);
    assert.equal(await counts(), undefined);
  });
});
