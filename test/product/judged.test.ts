import assert from 'node:assert/strict';
import { DAY_MS } from '../../src/base/index.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, buildIndex } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = `policies:
  - name: strict
    match: ["prod/**"]
    mode: enforce
    hold: 20s
    rules:
      scanned: { by: [inspector], within: 7d }
      age: { max: 180d }
      secrets: block
      misconfiguration: { block: high }
`;
/** The shipped one, which covers every repository as well. */
const DEFAULT = `  - name: default
    match: ["**"]
    mode: enforce
    hold: 20s
    rules: { scanned: { by: [inspector], within: 7d }, secrets: block, malware: block }
`;

/** An image with one fault, and how it is mended. */
interface Faulty {
  readonly fault: string;
  readonly rule: string;
  readonly faulty: () => Promise<BuiltImage>;
  readonly mended: () => Promise<BuiltImage>;
}

const FAULTS: readonly Faulty[] = [
  {
    fault: 'a planted AWS key in a layer',
    rule: 'secrets',
    faulty: () => buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] }),
    mended: () => buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: 'no key' }]] }),
  },
  {
    fault: 'root as its user, under a policy that forbids it',
    rule: 'misconfiguration',
    faulty: () => buildImage({ config: { user: 'root' }, layers: [[{ path: 'app', data: 'as root' }]] }),
    mended: () => buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: 'as app' }]] }),
  },
  {
    fault: 'an age of 200 days under age.max 180d',
    rule: 'age',
    faulty: () =>
      buildImage({
        config: { user: 'app', created: daysAgo(200) },
        layers: [[{ path: 'app', data: 'old' }]],
      }),
    mended: () =>
      buildImage({ config: { user: 'app', created: daysAgo(20) }, layers: [[{ path: 'app', data: 'new' }]] }),
  },
];

function daysAgo(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString();
}

describe('what is judged', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let pusher: Pusher;

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', 'prod/**']);
    await server.addUser('bob', PASSWORD, ['reader', 'prod/**']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    pusher = createPusher(server, `alice:${PASSWORD}`);
  });
  after(() => server.remove());

  /** Status and, of a refusal, code and message, as a reader sees them. */
  async function ask(path: string, method = 'GET'): Promise<string> {
    const answer = await server.request(path, { method, basic: `bob:${PASSWORD}` });
    if (answer.status < 400 || method === 'HEAD') return String(answer.status);
    const [error] = answer.json().errors as readonly { readonly code: string; readonly message: string }[];
    return `${answer.status} ${error?.code} ${error?.message}`;
  }

  for (const [index, { fault, rule, faulty, mended }] of FAULTS.entries()) {
    describe(`an image with ${fault}`, () => {
      const repository = `prod/fault${index}`;
      let image: BuiltImage;
      let layer: string;
      const refusal = new RegExp(
        `^403 IMAGE_BLOCKED dockgate: blocked ${repository}@sha256:\\w{12} by rule ${rule}`,
      );

      before(async () => {
        image = await faulty();
        layer = String(image.layers[0]?.digest);
        await pusher.push(repository, image, '1');
      });

      it('V-01: is refused by tag, GET and HEAD alike', async () => {
        assert.match(await ask(`/v2/${repository}/manifests/1`), refusal);
        assert.equal(await ask(`/v2/${repository}/manifests/1`, 'HEAD'), '403');
      });

      it('V-02: is refused by digest', async () => {
        assert.match(await ask(`/v2/${repository}/manifests/${image.digest}`), refusal);
      });

      it('V-03, V-04: gives none of its blobs, not even one byte of them; HEAD says that there are none', async () => {
        for (const blob of [layer, image.config.digest]) {
          assert.match(await ask(`/v2/${repository}/blobs/${blob}`), refusal);
          assert.equal(await ask(`/v2/${repository}/blobs/${blob}`, 'HEAD'), '404');
          const range = await server.request(`/v2/${repository}/blobs/${blob}`, {
            basic: `bob:${PASSWORD}`,
            headers: { range: 'bytes=0-0' },
          });
          assert.equal(range.status, 403);
        }
        assert.match(await ask(`/v2/${repository}/blobs/${image.digest}`), /^404 BLOB_UNKNOWN/);
      });

      it('V-06: is refused as the child of an index that wraps it, which is refused with it', async () => {
        const index = buildIndex([image]);
        await pusher.push(repository, index, 'wrapped');
        assert.match(await ask(`/v2/${repository}/manifests/wrapped`), /^403 IMAGE_BLOCKED/);
        assert.match(await ask(`/v2/${repository}/manifests/${image.digest}`), refusal);
      });

      it('is refused beside a good child, while index and good child are served', async () => {
        const good = await mended();
        await pusher.push(repository, good, 'good');
        await pusher.push(repository, buildIndex([image, good]), 'both');
        assert.equal(await ask(`/v2/${repository}/manifests/both`), '200');
        assert.equal(await ask(`/v2/${repository}/manifests/${good.digest}`), '200');
        assert.match(await ask(`/v2/${repository}/manifests/${image.digest}`), refusal);
      });

      it('V-41: is refused to its own pusher, whose HEAD is truthful so that the fix can be pushed', async () => {
        const basic = `alice:${PASSWORD}`;
        assert.equal((await server.request(`/v2/${repository}/manifests/1`, { basic })).status, 403);
        assert.equal(
          (await server.request(`/v2/${repository}/manifests/1`, { basic, method: 'HEAD' })).status,
          200,
        );
        assert.equal(
          (await server.request(`/v2/${repository}/blobs/${layer}`, { basic, method: 'HEAD' })).status,
          200,
        );
        assert.equal((await server.request(`/v2/${repository}/blobs/${layer}`, { basic })).status, 403);
      });

      it('T-29: gives no blob to another repository by a mount', async () => {
        const answer = await server.request(
          `/v2/prod/clean/blobs/uploads/?mount=${layer}&from=${repository}`,
          {
            basic: `alice:${PASSWORD}`,
            method: 'POST',
          },
        );
        assert.equal(answer.status, 202);
      });

      it('is served once it is mended', async () => {
        const good = await mended();
        await pusher.push(repository, good, '1');
        assert.equal(await ask(`/v2/${repository}/manifests/1`), '200');
        for (const { digest } of [good.config, ...good.layers]) {
          assert.equal(await ask(`/v2/${repository}/blobs/${digest}`), '200');
        }
      });
    });
  }

  it('is served once the policy changes, in every worker, and refused again when it changes back', async () => {
    const image = await buildImage({ config: { user: 'root' }, layers: [[{ path: 'x', data: 'policy' }]] });
    await pusher.push('prod/policy', image, '1');
    const everywhere = async () => {
      // A new connection each: round robin leads them to every worker.
      const answers = await Promise.all(Array.from({ length: 6 }, () => ask('/v2/prod/policy/manifests/1')));
      return [...new Set(answers.map((answer) => answer.slice(0, 3)))];
    };
    assert.deepEqual(await everywhere(), ['403']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY.replace('block: high', 'block: critical'));
    assert.deepEqual(await everywhere(), ['200']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    assert.deepEqual(await everywhere(), ['403']);
  });

  it('withholds a blob that no manifest names yet, and its mount, unless every policy only warns', async () => {
    const { config } = await buildImage({ config: { user: 'waits' } });
    await pusher.blob('prod/pending', config.bytes, config.digest);
    const mount = async (to: string) => {
      const path = `/v2/${to}/blobs/uploads/?mount=${config.digest}&from=prod/pending`;
      return (await server.request(path, { method: 'POST', basic: `alice:${PASSWORD}` })).status;
    };
    const asPusher = async () =>
      (await server.request(`/v2/prod/pending/blobs/${config.digest}`, { basic: `alice:${PASSWORD}` }))
        .status;
    assert.equal(await asPusher(), 404);
    assert.match(await ask(`/v2/prod/pending/blobs/${config.digest}`), /^404 BLOB_UNKNOWN/);
    assert.equal(await mount('prod/mounted'), 202);
    // Both the strict policy and the shipped one cover the repository: one that only warns is not enough.
    await server.run(['policy', 'apply', '-f', '-'], POLICY.replace('mode: enforce', 'mode: warn'));
    assert.equal(await asPusher(), 404);
    const everyPolicy = `${POLICY}${DEFAULT}`;
    await server.run(['policy', 'apply', '-f', '-'], everyPolicy.replaceAll('mode: enforce', 'mode: warn'));
    assert.equal(await asPusher(), 200);
    assert.equal(await ask(`/v2/prod/pending/blobs/${config.digest}`), '200');
    assert.match(await ask(`/v2/prod/elsewhere/blobs/${config.digest}`), /^404 BLOB_UNKNOWN/);
    assert.equal(await mount('prod/mounted'), 201);
    await server.run(['policy', 'apply', '-f', '-'], everyPolicy);
    assert.equal(await asPusher(), 404);
    assert.match(await ask(`/v2/prod/mounted/blobs/${config.digest}`), /^404 BLOB_UNKNOWN/);
  });

  it('is served with a warning under mode warn', async () => {
    await server.run(['policy', 'apply', '-f', '-'], POLICY.replace('mode: enforce', 'mode: warn'));
    const answer = await server.request('/v2/prod/policy/manifests/1', { basic: `bob:${PASSWORD}` });
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    assert.equal(answer.status, 200);
    assert.match(
      String(answer.headers.warning),
      /^299 - "dockgate: warning for prod\/policy@sha256:.*misconfiguration/,
    );
  });
});

describe('an image that no scanner has seen', function () {
  this.timeout(120_000);
  let server: Dockgate;

  before(async () => {
    server = await startDockgate({ config: 'scanners:\n  inspector:\n    enabled: false\n' });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
  });
  after(() => server.remove());

  it('is refused with the scanner off: by manifest, by child of an index, by blob', async () => {
    const image = await buildImage({ config: { user: 'app' } });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/app', image, '1');
    await pusher.push('team/app', buildIndex([image]), 'index');
    for (const path of [
      'manifests/1',
      'manifests/index',
      `manifests/${image.digest}`,
      `blobs/${image.config.digest}`,
    ]) {
      const answer = await server.request(`/v2/team/app/${path}`, { basic: `alice:${PASSWORD}` });
      assert.equal(answer.status, 403, path);
      assert.match(answer.text, /IMAGE_BLOCKED.*inspector/);
    }
  });

  it('is served where the policy is switched off, and only there', async () => {
    await server.run(
      ['policy', 'apply', '-f', '-'],
      'policies:\n  - { name: default, match: ["team/**"], mode: off, hold: 1s, rules: { secrets: block } }\n',
    );
    const answer = await server.request('/v2/team/app/manifests/1', { basic: `alice:${PASSWORD}` });
    assert.equal(answer.status, 200, answer.text);
  });
});
