import assert from 'node:assert/strict';
import { join } from 'node:path';
import { codeAt } from '../../src/auth/index.ts';
import { CommandFailed, UsageError } from '../../src/cli/client.ts';
import { createProgram } from '../../src/cli/program.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';

const PASSWORD = 'correct-horse-battery-9';

describe('commands about the own credentials', function () {
  this.timeout(120_000);
  let server: Dockgate;
  before(async () => {
    server = await startDockgate({ workers: 1 });
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await login();
  });
  after(() => server?.remove());

  /** A command of alice, in this process. */
  async function run(args: readonly string[], input = ''): Promise<string> {
    const lines: string[] = [];
    const output = { line: (text: string) => lines.push(text), note: () => {} };
    const env = { XDG_CONFIG_HOME: join(server.directory, 'xdg') };
    await createProgram('0', { env, output, readInput: async () => input }).parseAsync(args, {
      from: 'user',
    });
    return lines.join('\n');
  }

  const login = (...more: readonly string[]) =>
    run(
      ['login', server.url, '--ca', server.caPath, '--user', 'alice', '--password-stdin', ...more],
      PASSWORD,
    );
  const whoami = async (secret: string) =>
    (await server.request('/api/v1/me', { basic: `alice:${secret}` })).status;
  const fails = (args: readonly string[], told: RegExp, input = '') =>
    assert.rejects(run(args, input), (error) => error instanceof CommandFailed && told.test(error.message));

  describe('token', () => {
    it('create prints a secret that signs in, with the part of the rights that was named', async () => {
      const secret = await run([
        'token',
        'create',
        'laptop',
        '--expires',
        '12h',
        '--allow',
        'pull,push:team/**',
      ]);
      assert.match(secret, /^dgp_[0-9A-Za-z]{49}$/);
      assert.equal(await whoami(secret), 200);
      const made = JSON.parse(await run(['token', 'create', 'other', '--json']));
      assert.deepEqual(Object.keys(made), ['name', 'secret', 'expiresAt']);
      await fails(['token', 'create', 'laptop'], /laptop/);
      await fails(['token', 'create', 'long', '--expires', '999d'], /a token lives 5m to 365d/);
      await assert.rejects(run(['token', 'create', 'x', '--allow', 'pull']), /Write actions and a pattern/);
    });

    it('list shows tokens, what they may and when they end, and sessions', async () => {
      const text = await run(['token', 'list']);
      assert.match(text, /TOKEN +STATE +MAY +ENDS/);
      assert.match(text, /laptop +active +pull\+push on team\/\*\*/);
      assert.match(text, /SESSION +CLIENT[\s\S]*dockgate-cli/);
      await fails(['token', 'list', '--user', 'admin'], /alice has no grant for users\.manage/);
      assert.match(await server.run(['token', 'list', '--user', 'alice']), /laptop/);
    });

    it('rotate gives a new secret, the old one counts for the overlap', async () => {
      const first = await run(['token', 'rotate', 'laptop', '--overlap', '1h']);
      assert.match(first, /^dgp_/);
      const second = await run(['token', 'rotate', 'laptop', '--overlap', '1h']);
      assert.deepEqual([await whoami(first), await whoami(second)], [200, 200]);
      const third = await run(['token', 'rotate', 'laptop']);
      assert.deepEqual([await whoami(second), await whoami(third)], [401, 200]);
      await fails(['token', 'rotate', 'none'], /none/);
    });

    it('explain tells what one of them leaves', async () => {
      const text = await server
        .run(['explain', 'alice', 'pull', 'other/app', '--token', 'laptop'])
        .catch(String);
      assert.match(text, /token laptop may pull\+push on team\/\*\*, so not pull on other\/app/);
    });

    it('revoke ends one, by its owner and by an admin', async () => {
      const secret = await run(['token', 'rotate', 'laptop']);
      assert.equal(await run(['token', 'revoke', 'laptop']), 'laptop revoked');
      assert.equal(await whoami(secret), 401);
      const other = await run(['token', 'rotate', 'other']);
      await server.run(['token', 'revoke', 'other', '--user', 'alice']);
      assert.equal(await whoami(other), 401);
      await fails(['token', 'revoke', 'laptop'], /laptop/);
    });
  });

  describe('user totp', () => {
    let seed = '';
    const codeNow = (steps = 0) => codeAt(seed, Math.floor(Date.now() / 30_000) + steps);

    it('enroll prints a code to scan and the seed to type; confirm, recovery codes', async () => {
      await fails(
        ['user', 'totp', 'enroll', '--password-stdin'],
        /password is not right/,
        'wrong-horse-battery-1',
      );
      const shown = await run(['user', 'totp', 'enroll', '--password-stdin'], PASSWORD);
      assert.match(shown, /[█▀▄]{20}/);
      seed = /or type: (\w+)/.exec(shown)?.[1] ?? '';
      await fails(
        ['user', 'totp', 'confirm', '--code', '000000', '--password-stdin'],
        /code: is not the one/,
        PASSWORD,
      );
      const told = await run(['user', 'totp', 'confirm', '--code', codeNow(), '--password-stdin'], PASSWORD);
      assert.match(told, /second factor on; keep these, each works once/);
      assert.equal(told.split('\n').length, 11);
      await fails(['whoami'], /is over: sign in again/);
      await assert.rejects(login(), /not accepted/);
      assert.match(await login('--code', told.split('\n').at(-1) ?? ''), /signed in to/);
      await fails(
        ['user', 'totp', 'disable', '--code', told.split('\n').at(-1) ?? '', '--password-stdin'],
        /one-time code/,
        PASSWORD,
      );
      const next = told.split('\n').at(-2) ?? '';
      assert.equal(
        await run(['user', 'totp', 'disable', '--code', next, '--password-stdin'], PASSWORD),
        'second factor off',
      );
      assert.match(await login(), /signed in to/);
    });

    it("reset is an admin's; role second-factor says who needs one", async () => {
      await fails(['user', 'totp', 'reset', 'alice'], /alice has no grant for users\.manage/);
      assert.match(await server.run(['user', 'totp', 'reset', 'alice']), /second factor of alice reset/);
      const args = ['role', 'second-factor', 'developer', '--required'];
      assert.match(await server.run([...args, 'yes']), /role developer asks for a second factor/);
      await login();
      assert.match(await run(['whoami']), /second factor/);
      assert.match(await server.run([...args, 'no']), /does not ask/);
    });
  });

  describe('logout', () => {
    it('ends the session, and says when there was none', async () => {
      await assert.rejects(run(['login', 'http://localhost', '--device']), UsageError);
      assert.equal(await run(['logout']), 'signed out');
      assert.equal(await run(['logout']), 'nobody was signed in');
    });
  });
});
