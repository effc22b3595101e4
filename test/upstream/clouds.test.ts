import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createManualClock, type ManualClock, silentLogger } from '../../src/base/index.ts';
import type { Source } from '../../src/content/index.ts';
import { createUpstream, type UpstreamOptions } from '../../src/upstream/index.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';
import {
  ACCOUNTS,
  acr,
  type Dialect,
  dockerHub,
  ECR_LIFETIME_MS,
  ecr,
  entraTokenAt,
  gar,
  ghcr,
  refreshTokenOf,
} from '../support/cloud-dialects.ts';
import { type CloudOptions, type CloudRegistry, startCloudRegistry } from '../support/cloud-registry.ts';

const SIGN_IN = { code: 'DG_UPSTREAM_SIGN_IN', status: 502 };
const repository = repositoryOf('library/alpine');
const tag = tagOf('latest');
const HOUR_MS = 3_600_000;

interface World {
  readonly clock: ManualClock;
  readonly cloud: CloudRegistry;
  readonly source: Source;
  /** A directory for the password file or the command. */
  readonly directory: string;
}

async function withCloud(
  dialect: Dialect,
  settings: {
    readonly upstream: (directory: string) => Partial<UpstreamOptions>;
    readonly registry?: Partial<CloudOptions>;
    readonly clock?: ManualClock;
  },
  run: (world: World) => Promise<void>,
): Promise<void> {
  const clock = settings.clock ?? createManualClock();
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-cloud-'));
  const cloud = await startCloudRegistry(dialect, { clock, ...settings.registry });
  const source = createUpstream(
    {
      url: cloud.registry.url,
      tokenRealms: [cloud.auth.url],
      redirectOrigins: [cloud.store.url],
      ...settings.upstream(directory),
    },
    { clock, logger: silentLogger },
  );
  try {
    await run({ clock, cloud, source, directory });
  } finally {
    await source.close();
    await cloud.close();
    rmSync(directory, { recursive: true });
  }
}

async function pull({ source, cloud }: World): Promise<void> {
  const digest = await source.resolve(repository, tag);
  assert.equal(digest, cloud.image.digest);
  assert.deepEqual((await source.readManifest(repository, digest))?.bytes, Buffer.from(cloud.image.manifest));
  const layer = cloud.image.layers[0];
  assert.ok(layer);
  const opened = await source.openBlob(repository, layer.digest);
  assert.ok(opened);
  assert.deepEqual(await buffer(opened.stream), Buffer.from(layer.bytes));
}

/** What the other hosts received: no Authorization header, and nowhere our secret, plain or in base64. */
function assertNothingLeaked(cloud: CloudRegistry, secret: string): void {
  assert.ok(cloud.store.received.length > 0);
  for (const request of cloud.store.received) {
    assert.equal(request.authorization, undefined);
    const everything = JSON.stringify(request);
    assert.ok(!everything.includes(secret) && !everything.includes(Buffer.from(secret).toString('base64')));
  }
}

/** A program that prints what stands in a file, and counts its runs in another; it wants the environment it was given, and no other. */
function commandIn(directory: string): Partial<UpstreamOptions> {
  const script = `
    const fs = require('node:fs');
    fs.appendFileSync(process.argv[2], 'x');
    if (process['env'].HOME !== undefined || process['env'].AWS_PROFILE !== 'corp') process.exit(9);
    process.stderr.write('secret on stderr');
    process.stdout.write(fs.readFileSync(process.argv[1], 'utf8') + '\\n');`;
  return {
    passwordCommand: [process.execPath, '-e', script, join(directory, 'password'), join(directory, 'runs')],
    passwordCommandEnvironment: { AWS_PROFILE: 'corp' },
  };
}

const runsIn = (directory: string) => readFileSync(join(directory, 'runs'), 'utf8').length;

describe('signing in at the registries of the clouds', () => {
  for (const [dialect, account] of [
    [dockerHub, ACCOUNTS.hub],
    [ghcr, ACCOUNTS.ghcr],
    [gar, ACCOUNTS.gar],
    [acr, ACCOUNTS.acr],
  ] as const) {
    it(`${dialect.name} takes the password of its table, and its store sees none (P-02)`, async () => {
      await withCloud(dialect, { upstream: () => account }, async (world) => {
        await pull(world);
        assertNothingLeaked(world.cloud, account.password);
        // The registry itself sees tokens only; the password goes to the token service.
        const shown = world.cloud.registry.received.filter(({ path }) => path.startsWith('/v2/library/'));
        assert.ok(shown.every(({ authorization }) => !authorization?.startsWith('Basic')));
      });
    });

    it(`${dialect.name} refuses another, and that is said as our fault, not the client's`, async () => {
      await withCloud(
        dialect,
        { upstream: () => ({ ...account, password: 'wrong' }) },
        async ({ source }) => {
          await assert.rejects(source.resolve(repository, tag), SIGN_IN);
        },
      );
    });
  }

  it('Docker Hub is read without any account', async () => {
    await withCloud(dockerHub, { upstream: () => ({}) }, async (world) => {
      await pull(world);
      const [asked] = world.cloud.auth.received;
      assert.equal(asked?.authorization, undefined);
    });
  });

  it('GAR is signed in to by a key file with its line breaks', async () => {
    const upstream = (directory: string) => {
      writeFileSync(join(directory, 'key.json'), `${ACCOUNTS.gar.password}\n`);
      return { username: '_json_key', passwordFile: join(directory, 'key.json') };
    };
    await withCloud(gar, { upstream }, pull);
  });

  it('ACR gives tokens for a refresh token, by POST', async () => {
    const clock = createManualClock();
    const refreshToken = refreshTokenOf(Math.floor(clock.nowMs() / 1000));
    const upstream = () => ({ credentialKind: 'refresh-token' as const, password: refreshToken });
    await withCloud(acr, { upstream, clock }, async (world) => {
      await pull(world);
      assertNothingLeaked(world.cloud, refreshToken);
      clock.advance(4 * HOUR_MS);
      await assert.rejects(world.source.resolve(repository, tag), SIGN_IN);
    });
  });

  it('ACR exchanges an Entra ID token once, keeps the refresh token 80 % of its life, then exchanges a new one', async () => {
    const clock = createManualClock();
    const upstream = (directory: string) => {
      writeFileSync(join(directory, 'password'), entraTokenAt(clock.nowMs()));
      return { credentialKind: 'entra-token' as const, passwordFile: join(directory, 'password') };
    };
    await withCloud(acr, { upstream, clock }, async (world) => {
      const exchangeCount = () =>
        world.cloud.auth.received.filter(({ path }) => path === '/oauth2/exchange').length;
      await pull(world);
      clock.advance(2 * HOUR_MS);
      writeFileSync(join(world.directory, 'password'), entraTokenAt(clock.nowMs()));
      await pull(world);
      assert.equal(exchangeCount(), 1);
      clock.advance(HOUR_MS / 2);
      writeFileSync(join(world.directory, 'password'), entraTokenAt(clock.nowMs()));
      await pull(world);
      assert.equal(exchangeCount(), 2);
    });
  });

  describe('ECR, whose password lives 12 hours', () => {
    const passwordAt = (nowMs: number) => `ecr-${Math.floor(nowMs / ECR_LIFETIME_MS)}`;
    const isPassword = (clock: ManualClock) => (username: string, password: string) =>
      username === 'AWS' && password === passwordAt(clock.nowMs());

    it('is asked with what a command prints, which runs once for many requests and sees the environment it is given', async () => {
      const clock = createManualClock();
      const upstream = (directory: string) => {
        writeFileSync(join(directory, 'password'), passwordAt(clock.nowMs()));
        return { username: 'AWS', ...commandIn(directory) };
      };
      const registry = { isPassword: isPassword(clock) };
      await withCloud(ecr, { upstream, clock, registry }, async (world) => {
        await Promise.all(Array.from({ length: 5 }, () => pull(world)));
        assert.equal(runsIn(world.directory), 1);
        assertNothingLeaked(world.cloud, passwordAt(clock.nowMs()));
      });
    });

    it('has a new one fetched after 80 % of its life, and the old one used where there is no new one', async () => {
      const clock = createManualClock();
      const upstream = (directory: string) => {
        writeFileSync(join(directory, 'password'), 'the-one');
        return { username: 'AWS', ...commandIn(directory) };
      };
      const registry = { isPassword: (_username: string, password: string) => password === 'the-one' };
      await withCloud(ecr, { upstream, clock, registry }, async (world) => {
        await pull(world);
        clock.advance(9.5 * HOUR_MS);
        await pull(world);
        assert.equal(runsIn(world.directory), 1);
        clock.advance(0.2 * HOUR_MS);
        await pull(world);
        assert.equal(runsIn(world.directory), 2);
        rmSync(join(world.directory, 'password'));
        clock.advance(10 * HOUR_MS);
        await pull(world);
        assert.equal(runsIn(world.directory), 3);
        clock.advance(3 * HOUR_MS);
        await assert.rejects(world.source.resolve(repository, tag), SIGN_IN);
      });
    });

    it('has one fresh try when it refuses what it took before: command and file are looked at again', async () => {
      for (const by of ['file', 'command'] as const) {
        let right = 'first';
        const upstream = (directory: string) => {
          writeFileSync(join(directory, 'password'), right);
          return by === 'file'
            ? { username: 'AWS', passwordFile: join(directory, 'password') }
            : { username: 'AWS', ...commandIn(directory) };
        };
        const registry = { isPassword: (_username: string, password: string) => password === right };
        await withCloud(ecr, { upstream, registry }, async (world) => {
          await pull(world);
          world.clock.advance(31_000);
          right = 'second';
          writeFileSync(join(world.directory, 'password'), right);
          await pull(world);
        });
      }
    });

    it('does not have a command run for every request while its password is wrong', async () => {
      const upstream = (directory: string) => {
        writeFileSync(join(directory, 'password'), 'wrong');
        return { username: 'AWS', ...commandIn(directory) };
      };
      await withCloud(ecr, { upstream, registry: { isPassword: () => false } }, async (world) => {
        for (let count = 0; count < 5; count += 1) {
          await assert.rejects(world.source.resolve(repository, tag), SIGN_IN);
        }
        assert.equal(runsIn(world.directory), 1);
      });
    });
  });

  const broken: readonly [string, readonly string[], RegExp][] = [
    ['is not there', ['/nowhere/at-all'], /cannot be run \(ENOENT\)/],
    ['fails', [process.execPath, '-e', 'process.stdout.write("hush"); process.exit(3)'], /ended with 3/],
    ['prints nothing', [process.execPath, '-e', ''], /printed none/],
    ['prints too much', [process.execPath, '-e', 'process.stdout.write("x".repeat(99999))'], /cannot be run/],
  ];
  for (const [what, passwordCommand, message] of broken) {
    it(`is a fault that keeps what was printed when the command ${what}`, async () => {
      await withCloud(ecr, { upstream: () => ({ username: 'AWS', passwordCommand }) }, async ({ source }) => {
        await assert.rejects(source.resolve(repository, tag), (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /hush/);
          return true;
        });
      });
    });
  }

  it('is a fault when the password file is gone', async () => {
    const upstream = () => ({ username: 'AWS', passwordFile: '/nowhere/at-all' });
    await withCloud(ecr, { upstream }, async ({ source }) => {
      await assert.rejects(source.resolve(repository, tag), SIGN_IN);
    });
  });

  it('runs no shell: what one would expand is an argument', async () => {
    const passwordCommand = [
      process.execPath,
      '-e',
      'process.stdout.write(process.argv[1])',
      '$(echo x);`id`',
    ];
    const registry = { isPassword: (_username: string, password: string) => password === '$(echo x);`id`' };
    await withCloud(ecr, { upstream: () => ({ username: 'AWS', passwordCommand }), registry }, pull);
  });
});
