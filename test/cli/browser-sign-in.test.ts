import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { hasBrowser } from '../../src/cli/browser.ts';
import { openLoopback } from '../../src/cli/loopback.ts';
import { createProgram } from '../../src/cli/program.ts';
import { type Dockgate, runCli, startDockgate } from '../support/dockgate.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';

/** Status of what the command answers the browser. */
function bring(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    }).once('error', reject);
  });
}

describe('dockgate login with a browser', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let home: string;
  const jar = new Map<string, string>();

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD);
    home = join(server.directory, 'home');
    mkdirSync(home);
    await visit('/login');
    assert.equal((await visit('/login', { name: 'alice', password: PASSWORD })).status, 303);
  });
  after(() => server?.remove());

  /** A page, or a form of one, as the browser of alice. */
  async function visit(path: string, fields?: Readonly<Record<string, string>>) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const form = new URLSearchParams({ ...fields, form: jar.get('__Host-dockgate-form') ?? '' });
    const answer = await server.request(path, {
      headers: { cookie, ...(fields ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) },
      ...(fields ? { method: 'POST', body: form.toString() } : {}),
    });
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return answer;
  }

  const remote = (args: readonly string[], environment: Record<string, string> = {}) =>
    runCli(args, { cwd: home, environment: { HOME: home, ...environment } });

  it('opens the browser, keeps a session in a file of its own, and logout ends it there', async () => {
    const [opened, browser] = [join(home, 'opened'), join(home, 'browser')];
    writeFileSync(browser, `#!/bin/sh\nprintf %s "$1" > ${opened}.part && mv ${opened}.part ${opened}\n`);
    chmodSync(browser, 0o700);
    const signingIn = remote(['login', server.url, '--ca', server.caPath], { BROWSER: browser });
    await until(() => existsSync(opened), 'the browser');
    const { search, searchParams } = new URL(readFileSync(opened, 'utf8'));
    assert.match((await visit(`/login/program${search}`)).text, /Is this your command/);
    const elsewhere = `${searchParams.get('redirect_uri')}?code=x&state=${'x'.repeat(43)}`;
    assert.equal(await bring(elsewhere), 404, 'not its state');
    const approved = await visit('/login/program', { query: search.slice(1), decision: 'approve' });
    assert.equal(await bring(String(approved.headers.location)), 200);
    const { code, stdout, stderr } = await signingIn;
    assert.deepEqual([code, stdout], [0, `signed in to ${server.url} as alice\n`], stderr);
    const stored = join(home, '.config/dockgate/sign-in.json');
    assert.equal(statSync(stored).mode & 0o777, 0o600);
    assert.equal((await remote(['whoami'])).stdout, 'user alice\n');
    const token = await remote(['token', 'create', 'laptop']);
    assert.equal(token.code, 0, token.stderr);
    const kept = readFileSync(stored, 'utf8');
    assert.equal((await remote(['logout'])).stdout, 'signed out\n');
    writeFileSync(stored, kept);
    assert.match((await remote(['whoami'])).stderr, /is over: sign in again/);
  });

  it('without a display shows a code, which the person types in a browser', async () => {
    const [lines, notes]: [string[], string[]] = [[], []];
    const output = { line: (text: string) => lines.push(text), note: (text: string) => notes.push(text) };
    const env = { XDG_CONFIG_HOME: join(home, 'xdg') };
    const program = createProgram('0', { env, output, readInput: async () => '' });
    const args = ['login', server.url, '--ca', server.caPath, '--json'];
    const signingIn = program.parseAsync(args, { from: 'user' });
    await until(() => notes.length > 0, 'a code');
    const [, code = ''] = /([A-Z]{4}-[A-Z]{4})$/.exec(notes.join('')) ?? [];
    assert.match((await visit('/login/device', { code })).text, /Is this your command/);
    await visit('/login/device', { code, decision: 'approve' });
    await signingIn;
    assert.deepEqual(JSON.parse(lines.join('')), { server: server.url, user: 'alice' });
    assert.equal(statSync(join(env.XDG_CONFIG_HOME, 'dockgate/sign-in.json')).mode & 0o777, 0o600);
  });

  it('says what belongs together', async () => {
    for (const args of [
      ['--user', 'alice'],
      ['--password-stdin'],
      ['--code', '1'],
      ['--user', 'a', '--password-stdin', '--device'],
    ]) {
      const { code, stderr } = await remote(['login', server.url, ...args]);
      assert.deepEqual([code, /needs --user NAME and --password-stdin/.test(stderr)], [2, true], stderr);
    }
    const { code, stderr } = await runCli(['login'], { cwd: home, environment: { HOME: server.directory } });
    assert.equal(code, 2);
    assert.match(stderr, /name the server: dockgate login https:\/\/HOST:PORT/);
  });
});

describe('a command that waits for a browser', () => {
  it('opens one only where the person would see it', () => {
    assert.equal(hasBrowser({ DISPLAY: ':0' }, 'linux'), true);
    assert.equal(hasBrowser({ WAYLAND_DISPLAY: 'wayland-0' }, 'linux'), true);
    assert.equal(hasBrowser({}, 'darwin'), true);
    assert.equal(hasBrowser({}, 'linux'), false);
    assert.equal(hasBrowser({ DISPLAY: ':0', SSH_CONNECTION: '1' }, 'linux'), false);
    assert.equal(hasBrowser({ BROWSER: 'lynx', SSH_CONNECTION: '1' }, 'linux'), true);
  });

  it('gives up after its time, with a sentence', async () => {
    const loopback = await openLoopback('s', 1);
    await assert.rejects(loopback.code, /nobody signed in with the browser in time/);
    loopback.close();
  });
});
