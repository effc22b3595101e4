import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type Dockgate, type HttpAnswer, startDockgate } from '../support/dockgate.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
/** The client's address is what this machine, as the proxy, says: one test never uses up what another needs. */
const CONFIG = `
limits:
  address: { requests: 20 }
  principal: { requests: 10 }
  repositories:
    - { on: 'busy/**', requests: 2 }
    - { on: 'quota/**', storage: 64KiB }
proxies:
  trusted: [127.0.0.1]
`;
const AT_ONCE = 40;
/** Twice what the largest of the limits lets pass in a second. */
const RATE_TOO_HIGH = 40;

describe('limits of a real server', function () {
  this.timeout(180_000);
  let server: Dockgate;

  before(async () => {
    server = await startDockgate({ config: CONFIG, workers: 2 });
    for (const name of ['greedy', 'modest', 'busy', 'pusher', 'flooder']) {
      await server.addUser(name, PASSWORD, ['developer', '**']);
    }
    await server.addUser('stranger', PASSWORD, ['developer', 'lab/**']);
  });
  after(() => server.remove());

  const ask = (path: string, from: string, user?: string) =>
    server.request(path, {
      headers: { 'x-forwarded-for': from },
      ...(user === undefined ? {} : { basic: `${user}:${PASSWORD}` }),
    });
  const statusOf = async (answer: Promise<HttpAnswer>) => (await answer).status;
  /** Asks again and again until there is a refusal, which a slow machine takes a while to deserve. */
  const flood = async (one: (index: number) => Promise<HttpAnswer>): Promise<HttpAnswer> => {
    let refused: HttpAnswer | undefined;
    let count = 0;
    const startedAtMs = performance.now();
    await until(async () => {
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => one(index)));
      refused ??= answers.find(({ status }) => status === 429);
      count += answers.length;
      const seconds = (performance.now() - startedAtMs) / 1000;
      // Over two windows nothing excuses that: neither what had gathered before nor a count that others hear late.
      const isLet = refused === undefined && count > RATE_TOO_HIGH * Math.max(seconds, 20);
      assert.equal(isLet, false, `${count} requests in ${seconds} s, and none was refused`);
      return refused !== undefined;
    }, 'there was too much');
    assert.ok(refused);
    assert.match(String(refused.headers['retry-after']), /^(?:[1-9]|10)$/);
    return refused;
  };
  const recorded = async (reason: string, user: string, address: string) => {
    await until(async () => {
      const found = await server.run(['audit', 'search', '--outcome', 'refused', '--limit', '500', '--json']);
      return found.split('\n').some((line) => [reason, user, address].every((text) => line.includes(text)));
    }, `${reason} is recorded`);
  };

  it('one that asks for too much is told so, wherever it asks from, and nobody else feels it', async () => {
    const refused = await flood((index) => ask('/v2/team/app/tags/list', `192.0.2.${index}`, 'greedy'));
    const { errors } = JSON.parse(refused.text);
    assert.equal(errors.length, 1);
    assert.equal(errors[0].code, 'TOOMANYREQUESTS');
    assert.match(
      errors[0].message,
      /^dockgate: too many requests of user greedy: at most 10 a second over 10 s; try again in \d+ s$/,
    );
    const others = Array.from({ length: 10 }, () =>
      statusOf(ask('/v2/team/app/tags/list', '192.0.2.1', 'modest')),
    );
    assert.deepEqual([...new Set(await Promise.all(others))], [404]);
    await recorded('limit.requests', 'greedy', '192.0.2.');
  });

  it('F-30: one address that floods is refused everywhere, before anybody looks at a credential; another is served', async () => {
    const from = '198.51.100.7';
    const refused = await flood(() => ask('/v2/', from));
    assert.match(refused.text, /too many requests of address 198\.51\.100\.7: at most 20 a second/);
    for (const path of ['/token', '/api/v1/users']) {
      const one = await flood(() => ask(path, from, 'flooder'));
      assert.match(one.text, /too many requests of address 198\.51\.100\.7/, path);
    }
    assert.equal(await statusOf(ask('/v2/', '198.51.100.8')), 401);
    await recorded('limit.requests', 'anonymous', from);
  });

  it('repositories have a limit of their own, which only who may go there can use up', async () => {
    const strangers = Array.from({ length: AT_ONCE }, (_, index) =>
      statusOf(ask('/v2/busy/app/tags/list', `203.0.113.${index}`, 'stranger')),
    );
    assert.deepEqual([...new Set(await Promise.all(strangers))], [403]);
    assert.equal(await statusOf(ask('/v2/busy/app/tags/list', '203.0.113.1', 'busy')), 404);
    const refused = await flood((index) => ask('/v2/busy/app/tags/list', `203.0.113.${index}`, 'busy'));
    assert.match(refused.text, /too many requests of (?:repositories busy|user busy)/);
    assert.equal(await statusOf(ask('/v2/team/app/tags/list', '203.0.113.1', 'modest')), 404);
  });

  describe('for storage', () => {
    const upload = async (name: string, bytes: Uint8Array, isChunked: boolean) => {
      const begun = await server.request(`/v2/${name}/blobs/uploads/`, { method: 'POST', basic: pusher });
      assert.equal(begun.status, 202, begun.text);
      const location = String(begun.headers.location).replace(/^https:\/\/[^/]+/, '');
      const length = isChunked
        ? { 'transfer-encoding': 'chunked' }
        : { 'content-length': String(bytes.length) };
      return server.request(`${location}?digest=${digestOf(bytes)}`, {
        ...{ method: 'PUT', basic: pusher, body: bytes },
        headers: { 'content-type': 'application/octet-stream', ...length },
      });
    };
    const pusher = `pusher:${PASSWORD}`;
    const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const refusedBy = ({ status, text }: HttpAnswer) => {
      const [error] = JSON.parse(text).errors;
      return `${status} ${error.code} ${error.message}`;
    };

    it('P-21: a push beyond the quota is refused with a sentence, with and without a length; what is there stays', async () => {
      assert.equal((await upload('quota/app', randomBytes(60 * 1024), false)).status, 201);
      const tooMuch = randomBytes(8 * 1024);
      for (const isChunked of [false, true]) {
        assert.match(
          refusedBy(await upload('quota/other', tooMuch, isChunked)),
          /^413 DENIED dockgate: the quota of quota\/\*\* is 64KiB: 60KiB used, .+ asked; remove images there/,
        );
      }
      assert.equal((await upload('team/app', tooMuch, true)).status, 201);
      const usage = JSON.parse(await server.run(['registry', 'usage', '--json']));
      assert.deepEqual(usage.quotas, [{ on: 'quota/**', bytesMax: 65_536, usedBytes: 61_440 }]);
      assert.match(await server.run(['registry', 'usage']), /quota\/\*\* +65536 +61440 +93%/);
      await recorded('quota.exceeded', 'pusher', '127.0.0.1');
    });

    it('P-21: pushes that race through both workers never get more than there is', async () => {
      const before = Array.from({ length: 6 }, () => randomBytes(3 * 1024));
      const statuses = await Promise.all(
        before.map(async (bytes) => (await upload('quota/race', bytes, false)).status),
      );
      assert.deepEqual([...statuses].sort(), [201, 413, 413, 413, 413, 413]);
    });
  });
});
