import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, systemRandom } from '../../src/base/index.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage, writeOciLayout } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { until } from '../support/until.ts';
import type { ContainerClient } from './container-client.ts';

const PASSWORD = 'correct-horse-battery-9';

/** `docker-registry` behind the gateway, or nothing: the embedded registry. */
const PLACES = ['the embedded registry', 'docker-registry'] as const;

export interface ClientUnderTest {
  readonly name: string;
  readonly create: (server: Dockgate) => ContainerClient;
  /** What it prints when the password is wrong. */
  readonly wrongPassword: RegExp;
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
      const leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
      await writeOciLayout(layout, { good, leaky });
    });

    after(async () => {
      await server?.remove();
      await registry?.stop();
      rmSync(layout, { recursive: true, force: true });
    });

    for (const { name, create, wrongPassword } of clients) {
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
          assert.equal((await client.logout()).code, 0);
        });

        it('is told that its password is wrong', async () => {
          const login = await client.login('alice', 'not-the-password-1');
          assert.notEqual(login.code, 0);
          assert.match(login.output, wrongPassword);
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
          assert.match(push.output, /bob has no grant for push on team\/by-bob/);
        });

        it('is told why an image is blocked, by tag and by digest', async () => {
          assert.equal((await client.login('alice', PASSWORD)).code, 0);
          const pushed = await client.push(`${layout}:leaky`, `team/leaky-${name}:1`);
          assert.equal(pushed.code, 0, pushed.output);
          const shown = await server.run(['--json', 'image', 'show', `team/leaky-${name}:1`]);
          for (const reference of [':1', `@${JSON.parse(shown).digest}`]) {
            const pull = await client.pull(`team/leaky-${name}${reference}`);
            assert.notEqual(pull.code, 0);
            assert.match(pull.output, /dockgate: blocked team\/leaky-.* by rule secrets.*aws-/s);
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
