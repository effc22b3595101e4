import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { cleanEnvironment, type Dockgate, startDockgate } from '../support/dockgate.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';

describe('dockgate audit search --follow', function () {
  this.timeout(180_000);
  let server: Dockgate;
  let follower: ChildProcess | undefined;

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['reader', '**']);
  });
  after(async () => {
    follower?.kill('SIGKILL');
    await server.remove();
  });

  it('prints each new record once, in order, also those of a restarted server', async () => {
    const arguments_ = [
      '--data',
      server.data,
      '--json',
      'audit',
      'search',
      '--action',
      'sign-in',
      '--follow',
    ];
    const entry = join(import.meta.dirname, '../../src/cli/main.ts');
    const child = spawn(process.execPath, [entry, ...arguments_], { env: cleanEnvironment() });
    follower = child;
    let printed = '';
    let noted = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      noted += text;
    });
    const seen = () =>
      printed
        .split('\n')
        .slice(0, -1)
        .map((line): { index: number; record: { requestId: string } } => JSON.parse(line));
    const asked: string[] = [];
    const signIn = async () => {
      const { status, headers } = await server.request('/v2/', { basic: 'alice:wrong' });
      assert.equal(status, 401);
      asked.push(String(headers['x-request-id']));
    };
    const isSeen = () => asked.every((id) => seen().some(({ record }) => record.requestId === id));

    await signIn();
    await until(isSeen, 'the first record is printed');
    await signIn();
    await until(isSeen, 'the second record is printed');
    await server.stop();
    await until(() => noted.includes('waiting for it'), 'the follower notes that the server is away');
    server = await startDockgate({ directory: server.directory });
    await signIn();
    await until(isSeen, 'a record of the restarted server is printed');
    const places = seen().map(({ index }) => index);
    assert.deepEqual(
      places,
      [...new Set(places)].sort((a, b) => a - b),
    );
  });

  it('follows a server only, and never opens its data', async () => {
    await server.stop();
    const { code, stderr } = await server.cli(['audit', 'search', '--follow']);
    assert.equal(code, 1);
    assert.match(stderr, /no server answers/);
  });
});
