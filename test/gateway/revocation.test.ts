import assert from 'node:assert/strict';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';

const PASSWORD = 'correct-horse-battery-9';
const OTHER_PASSWORD = 'another-horse-battery-7';
const WORKERS = 3;
/** New connections go to the workers in turn; so many reach each of them twice. */
const CONNECTIONS = 2 * WORKERS;

interface Revocation {
  readonly what: string;
  /** After these requests with the old token are refused with this status. */
  readonly status: number;
  readonly revoke: (server: Dockgate, user: string) => Promise<unknown>;
  readonly grant?: (server: Dockgate, user: string) => Promise<void>;
}

const REVOCATIONS: readonly Revocation[] = [
  {
    what: 'grant remove',
    status: 403,
    revoke: (server, user) =>
      server.run(['grant', 'remove', '--role', 'reader', '--on', 'team/**', '--user', user]),
  },
  { what: 'user disable', status: 401, revoke: (server, user) => server.run(['user', 'disable', user]) },
  { what: 'user revoke', status: 401, revoke: (server, user) => server.run(['user', 'revoke', user]) },
  { what: 'user remove', status: 401, revoke: (server, user) => server.run(['user', 'remove', user]) },
  {
    what: 'user passwd',
    status: 401,
    revoke: (server, user) => server.run(['user', 'passwd', user, '--password-stdin'], OTHER_PASSWORD),
  },
  {
    what: 'a denying grant',
    status: 403,
    revoke: (server, user) =>
      server.run(['grant', 'add', '--deny', '--role', 'reader', '--on', 'team/app', '--user', user]),
  },
  {
    what: 'group leave',
    status: 403,
    grant: async (server, user) => {
      await server.run(['group', 'add', 'crew']);
      await server.run(['grant', 'add', '--role', 'reader', '--on', 'team/**', '--group', 'crew']);
      await server.run(['group', 'join', 'crew', user]);
    },
    revoke: (server, user) => server.run(['group', 'leave', 'crew', user]),
  },
  {
    what: 'group remove',
    status: 403,
    grant: async (server, user) => {
      await server.run(['group', 'add', 'band']);
      await server.run(['grant', 'add', '--role', 'reader', '--on', 'team/**', '--group', 'band']);
      await server.run(['group', 'join', 'band', user]);
    },
    revoke: (server) => server.run(['group', 'remove', 'band']),
  },
];

describe('what is taken away', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let blob: string;

  before(async () => {
    server = await startDockgate({ workers: WORKERS });
    await server.addUser('pusher', PASSWORD, ['maintainer', 'team/**']);
    const image = await buildImage({ config: { user: 'app' } });
    await createPusher(server, `pusher:${PASSWORD}`).push('team/app', image, '1');
    const pulled = await server.request('/v2/team/app/manifests/1', { basic: `pusher:${PASSWORD}` });
    assert.equal(pulled.status, 200);
    blob = `/v2/team/app/blobs/${image.layers[0]?.digest}`;
  });
  after(() => server.remove());

  /** The statuses of requests at once, each on a connection of its own. */
  async function everywhere(token: string): Promise<readonly number[]> {
    const paths = Array.from({ length: CONNECTIONS }, (_, index) =>
      index % 2 === 0 ? '/v2/team/app/manifests/1' : blob,
    );
    const answers = await Promise.all(paths.map((path) => server.request(path, { token })));
    return [...new Set(answers.map(({ status }) => status))];
  }

  const keepAlive = (token: string): string =>
    `GET ${blob} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;

  async function statusOn(connection: RawConnection, token: string): Promise<number | undefined> {
    const before = connection.answers().length;
    connection.send(keepAlive(token));
    return (await connection.waitForAnswers(before + 1))[before]?.status;
  }

  for (const [index, { what, status, revoke, grant }] of REVOCATIONS.entries()) {
    it(`T-22: ${what} stops the very next requests of an old token in every worker, also on open connections`, async () => {
      const user = `user${index}`;
      await server.addUser(user, PASSWORD, ...(grant ? [] : [['reader', 'team/**'] as const]));
      await grant?.(server, user);
      const token = await server.token(`${user}:${PASSWORD}`, 'repository:team/app:pull');
      const open = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectRaw(server)));
      try {
        assert.deepEqual(await everywhere(token), [200]);
        for (const connection of open) assert.equal(await statusOn(connection, token), 200);
        await revoke(server, user);
        // Nothing is waited for: the command has ended, so it must hold.
        const [fresh, ...kept] = await Promise.all([
          everywhere(token),
          ...open.map((connection) => statusOn(connection, token)),
        ]);
        assert.deepEqual(fresh, [status]);
        assert.deepEqual(new Set(kept), new Set([status]));
      } finally {
        for (const connection of open) connection.destroy();
      }
    });
  }

  it('T-22: Basic stops as tokens do, and the new password works at once', async () => {
    await server.addUser('basic', PASSWORD, ['reader', 'team/**']);
    const statuses = async (password: string) => {
      const answers = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => server.request(blob, { basic: `basic:${password}` })),
      );
      return [...new Set(answers.map(({ status }) => status))];
    };
    assert.deepEqual(await statuses(PASSWORD), [200]);
    await server.run(['user', 'passwd', 'basic', '--password-stdin'], OTHER_PASSWORD);
    assert.deepEqual(await statuses(OTHER_PASSWORD), [200]);
    assert.deepEqual(await statuses(PASSWORD), [401]);
  });

  it('a grant that is given works at once in every worker, with a token from before', async () => {
    await server.addUser('later', PASSWORD, ['reader', 'team/app']);
    const token = await server.token(`later:${PASSWORD}`, 'repository:team/app:pull');
    await server.run(['grant', 'remove', '--role', 'reader', '--on', 'team/app', '--user', 'later']);
    assert.deepEqual(await everywhere(token), [403]);
    await server.run(['grant', 'add', '--role', 'reader', '--on', 'team/app', '--user', 'later']);
    assert.deepEqual(await everywhere(token), [200]);
  });

  it('a robot that is given a new secret is out at once', async () => {
    const added = await server.run(['robot', 'add', 'bot']);
    await server.run(['grant', 'add', '--role', 'reader', '--on', 'team/**', '--robot', 'bot']);
    const secret = /dgr_\w+/.exec(added)?.[0] ?? assert.fail(added);
    const basic = `bot:${secret}`;
    const token = await server.token(basic, 'repository:team/app:pull');
    assert.deepEqual(await everywhere(token), [200]);
    await server.run(['robot', 'rotate', 'bot']);
    assert.deepEqual(await everywhere(token), [401]);
    assert.equal((await server.request(blob, { basic })).status, 401);
  });
});
