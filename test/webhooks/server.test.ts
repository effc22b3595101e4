import assert from 'node:assert/strict';
import { type HttpLab, startHttp } from '../outlets/lab.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const SECRET = 'whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXM=';

interface Event {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly specversion: string;
  readonly source: string;
  readonly data: Readonly<Record<string, unknown>>;
}

describe('webhooks of a running server', function () {
  this.timeout(300_000);
  let server: Dockgate | undefined;
  let http: HttpLab;
  afterEach(async () => {
    await http?.close();
    await server?.remove();
    server = undefined;
  });

  it('tell, signed and each once, of a scan, of refused pulls and of an image that a new policy refuses, over kill -9', async () => {
    let isTaking = true;
    http = await startHttp((_request, response) => response.writeHead(isTaking ? 204 : 503).end());
    const eventsOf = (type: string): readonly Event[] => {
      const events: Event[] = http.requests.map(({ body }) => JSON.parse(body));
      return events.filter((event) => event.type === type);
    };
    const hook = `{ name: chat, url: "${http.url}/in", secret: "${SECRET}", privateAddresses: true, repositories: "prod/**" }`;
    const config = `webhooks:\n  - ${hook}\n`;
    server = await startDockgate({ config });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    const basic = `alice:${PASSWORD}`;
    const pusher = createPusher(server, basic);
    assert.match(await server.run(['webhook', 'test', 'chat']), /chat took it/);
    await assert.rejects(server.run(['webhook', 'test', 'other']), /no webhook other/);

    const good = await buildImage({ config: { user: 'root' }, layers: [[{ path: 'app', data: 'fine' }]] });
    await pusher.push('prod/good', good, '1');
    const leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
    await pusher.push('prod/leaky', leaky, '1');
    await pusher.push('lab/leaky', leaky, '1');
    const pull = async (path: string) => (await server?.request(path, { basic }))?.status;
    const running = server;
    await until(async () => (await pull('/v2/prod/good/manifests/1')) === 200, 'the good image is served');
    await until(async () => (await pull('/v2/prod/leaky/manifests/1')) === 403, 'the leaky one is refused');
    for (let at = 0; at < 20; at++) await pull('/v2/prod/leaky/manifests/1');
    await until(
      async () => (await pull('/v2/lab/leaky/manifests/1')) === 403,
      'also where nobody asked to hear of',
    );

    await until(() => eventsOf('image.blocked').length > 0, 'the refusal is told');
    await until(() => eventsOf('image.scanned').length >= 2, 'the scans are told');
    const [blocked] = eventsOf('image.blocked');
    assert.equal(blocked?.specversion, '1.0');
    assert.equal(blocked?.source, running.url);
    assert.equal(blocked?.subject, `prod/leaky@${leaky.digest}`);
    assert.equal(blocked?.data.reason, 'policy.secrets');
    assert.deepEqual(blocked?.data.principal, { kind: 'user', name: 'alice' });

    // What nobody takes waits, over the end of all processes.
    isTaking = false;
    await running.run(
      ['policy', 'apply', '-f', '-'],
      `policies:
  - name: no-root
    match: ["prod/**"]
    mode: enforce
    hold: 20s
    rules: { scanned: { by: [inspector], within: 7d }, misconfiguration: { block: high } }
`,
    );
    await until(() => eventsOf('vulnerability.found').length > 0, 'the good image is found refused');
    assert.match(await running.run(['webhook', 'list']), /chat +127\.0\.0\.1:\d+ +FAILING +\d/);
    const refusing = http.requests.length;
    await running.killAll();
    isTaking = true;
    server = await startDockgate({ config, directory: running.directory });
    const again = server;
    await until(async () => /healthy +0 +0/.test(await again.run(['webhook', 'list'])), 'all is delivered');
    const after: readonly Event[] = http.requests.slice(refusing).map(({ body }) => JSON.parse(body));
    const found = after.filter(({ type }) => type === 'vulnerability.found');
    assert.deepEqual([...new Set(found.map(({ subject }) => subject))], [`prod/good@${good.digest}`]);
    assert.match(JSON.stringify(found[0]?.data), /"rule":"misconfiguration","policy":"no-root"/);
    assert.equal(eventsOf('image.blocked').length, 1, 'of the same refusal one message');
    const metrics = await fetch(`http://127.0.0.1:${server.opsPort}/metrics`).then((answer) => answer.text());
    assert.match(metrics, /^dockgate_webhook_messages_dead\b.* 0$/m);
    assert.ok(http.requests.every(({ headers }) => /^v1,\S{44}$/.test(String(headers['webhook-signature']))));
  });

  it('P-23: refuse to start with a private address that nobody meant', async () => {
    const hook = `{ name: chat, url: "https://127.0.0.1:1/in", secret: "${SECRET}" }`;
    await assert.rejects(startDockgate({ config: `webhooks:\n  - ${hook}\n` }), /private address/);
  });
});
