import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, systemRandom } from '../../src/base/index.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import {
  type BuiltImage,
  type BuiltIndex,
  buildImage,
  buildIndex,
  writeOciLayout,
} from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';
import type { ContainerClient } from './container-client.ts';

const BLOCKED = /dockgate: blocked team\/leaky-.* by rule secrets.*aws-/s;
const PASSWORD = 'correct-horse-battery-9';

/** `docker-registry` behind the gateway, or nothing: the embedded registry. */
const PLACES = ['the embedded registry', 'docker-registry'] as const;

export interface ClientUnderTest {
  readonly name: string;
  readonly create: (server: Dockgate) => ContainerClient;
  /** What it prints when the password is wrong. */
  readonly wrongPassword: RegExp;
  /** It does not ask when it signs in: the first pull is told. */
  readonly signsInUnchecked?: boolean;
  /** What it prints of a push that no grant allows, when not the gateway's sentence. */
  readonly noPush?: RegExp;
  /** It reads a manifest back before it tags it: the push itself is told that the image is blocked. */
  readonly readsBack?: boolean;
}

/** What each of these clients must be able to do, and be told, wherever the images lie. */
export function everyClient(clients: readonly ClientUnderTest[]): void {
  for (const place of PLACES) describeAt(place, clients);
}

function describeAt(place: (typeof PLACES)[number], clients: readonly ClientUnderTest[]): void {
  describe(`through ${place}`, () => {
    let registry: DockerRegistry | undefined;
    let server: Dockgate;
    let layout: string;
    let many: BuiltIndex;
    let leaky: BuiltImage;

    before(async () => {
      if (place === 'docker-registry') registry = await startDockerRegistry();
      const config = registry ? `upstreams:\n  - url: ${registry.url}\n` : '{}\n';
      server = await startDockgate({ config });
      await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
      await server.addUser('bob', PASSWORD, ['reader', 'elsewhere/**']);
      // podman takes a path for a name, and wants it in lower case.
      layout = join(tmpdir(), `layout-${newId(systemRandom)}`);
      mkdirSync(layout);
      const good = await buildImage({
        config: { user: 'app' },
        layers: [[{ path: 'hello', data: 'hello\n' }]],
      });
      leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
      await writeOciLayout(layout, { good, leaky });
      const arm = await buildImage({ config: { user: 'app', architecture: 'arm64' } });
      many = buildIndex([good, arm]);
    });

    after(async () => {
      await server?.remove();
      await registry?.stop();
      rmSync(layout, { recursive: true, force: true });
    });

    for (const { name, create, wrongPassword, ...quirks } of clients) {
      describe(name, () => {
        let client: ContainerClient;
        beforeEach(() => {
          client = create(server);
        });
        afterEach(() => client.remove());

        it('signs in, pushes, and pulls by tag and by digest', async () => {
          const login = await client.login('alice', PASSWORD);
          assert.equal(login.code, 0, login.output);
          const pushed = await client.push(`${layout}:good`, `team/${name}:1`);
          assert.equal(pushed.code, 0, pushed.output);
          const byTag = await client.pull(`team/${name}:1`);
          assert.equal(byTag.code, 0, byTag.output);
          const shown = await server.run(['--json', 'image', 'show', `team/${name}:1`]);
          const byDigest = await client.pull(`team/${name}@${JSON.parse(shown).digest}`);
          assert.equal(byDigest.code, 0, byDigest.output);
        });

        it('pulls the image of another platform', async () => {
          const [, arm] = many.children;
          await createPusher(server, `alice:${PASSWORD}`).push(`team/many-${name}`, many, '1');
          assert.equal((await client.login('alice', PASSWORD)).code, 0);
          const pulled = await client.pull(`team/many-${name}:1`, 'linux/arm64');
          assert.equal(pulled.code, 0, pulled.output);
          // What it was given is in the log; the index may lag a second behind it.
          const search = ['--json', 'audit', 'search', '--repository', `team/many-${name}`];
          await until(async () => {
            const { records } = JSON.parse(await server.run([...search, '--digest', arm?.digest ?? '']));
            return records.some(({ record }: { record: { action?: string } }) => record.action === 'pull');
          }, 'the pull of the other platform is in the index');
        });

        it('pulls nothing once it has signed out', async () => {
          await createPusher(server, `alice:${PASSWORD}`).push(`team/out-${name}`, many, '1');
          assert.equal((await client.login('alice', PASSWORD)).code, 0);
          const before = await client.pull(`team/out-${name}:1`);
          assert.equal(before.code, 0, before.output);
          const logout = await client.logout();
          assert.equal(logout.code, 0, logout.output);
          const after = await client.pull(`team/out-${name}:1`);
          assert.notEqual(after.code, 0, after.output);
        });

        it('is told that its password is wrong', async () => {
          const login = await client.login('alice', 'not-the-password-1');
          if (!quirks.signsInUnchecked) assert.notEqual(login.code, 0);
          const told = quirks.signsInUnchecked ? await client.pull(`team/many-${name}:1`) : login;
          assert.notEqual(told.code, 0);
          assert.match(told.output, wrongPassword);
        });

        it('is told that no grant lets it pull, whether the image exists or not', async () => {
          assert.equal((await client.login('bob', PASSWORD)).code, 0);
          for (const image of ['team/never-pushed:1', `team/${name}:1`]) {
            const pull = await client.pull(image);
            assert.notEqual(pull.code, 0);
            assert.match(pull.output, /bob has no grant for pull on team\//);
          }
        });

        it('is told that no grant lets it push', async () => {
          assert.equal((await client.login('bob', PASSWORD)).code, 0);
          const push = await client.push(`${layout}:good`, 'team/by-bob:1');
          assert.notEqual(push.code, 0);
          assert.match(push.output, quirks.noPush ?? /bob has no grant for push on team\/by-bob/);
        });

        it('is told why an image is blocked, by tag and by digest', async () => {
          assert.equal((await client.login('alice', PASSWORD)).code, 0);
          const pushed = await client.push(`${layout}:leaky`, `team/leaky-${name}:1`);
          if (quirks.readsBack) {
            assert.notEqual(pushed.code, 0);
            assert.match(pushed.output, BLOCKED);
            await createPusher(server, `alice:${PASSWORD}`).push(`team/leaky-${name}`, leaky, '1');
          } else assert.equal(pushed.code, 0, pushed.output);
          const shown = await server.run(['--json', 'image', 'show', `team/leaky-${name}:1`]);
          for (const reference of [':1', `@${JSON.parse(shown).digest}`]) {
            const pull = await client.pull(`team/leaky-${name}${reference}`);
            assert.notEqual(pull.code, 0);
            assert.match(pull.output, BLOCKED);
          }
        });
      });
    }

    // A test of this level would run before those of the clients.
    describe('the access log after it', () => {
      it('verifies, and holds every refusal', async () => {
        const args = ['--json', 'audit', 'search', '--outcome', 'refused', '--limit', '1000'];
        const reasons = async (): Promise<readonly (string | undefined)[]> => {
          const { records } = JSON.parse(await server.run(args));
          return records.map(({ record }: { record: { reason?: string } }) => record.reason);
        };
        // The index may lag a second behind the log.
        for (const reason of ['sign-in.password', 'grant.missing', 'policy.secrets']) {
          await until(async () => (await reasons()).includes(reason), `${reason} is in the index`);
        }
        assert.match(await server.run(['audit', 'verify']), /the log is whole/);
      });
    });
  });
}
