import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, type HttpAnswer, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'ignore' });
}

/** A file system of its own. @returns whether it could be had: that takes root. */
function mountSmall(path: string): boolean {
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=64m,mode=0700', 'dockgate-test', path);
    return true;
  } catch {
    // No root here; the same errors are tried with a disk that lies (test/audit/writer.test.ts).
    return false;
  }
}

describe('a server whose disk is full (A-12)', function () {
  this.timeout(180_000);
  let mount: string;
  let server: Dockgate | undefined;
  let isMounted = false;

  before(async function () {
    mount = await mkdtemp(join(tmpdir(), 'dockgate-full-'));
    isMounted = mountSmall(mount);
    if (!isMounted) this.skip();
    server = await startDockgate({ directory: mount });
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    const image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'a', data: 'b' }]] });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    for (const tag of ['1', 'old-0', 'old-1']) await pusher.push('team/app', image, tag);
  });
  after(async () => {
    await server?.stop();
    if (isMounted) run('umount', mount);
    await rm(mount, { recursive: true, force: true });
  });

  it('serves nothing and says so, answers nothing without a record, and serves again without a restart', async () => {
    assert.ok(server);
    const { opsPort } = server;
    const token = await server.token(`alice:${PASSWORD}`, 'repository:team/app:pull,push');
    const answers: HttpAnswer[] = [];
    const ask = async (path: string): Promise<number> => {
      const answer = await server?.request(path, { token });
      assert.ok(answer);
      answers.push(answer);
      return answer.status;
    };
    const paths = ['/v2/team/app/manifests/1', '/v2/team/app/tags/list', '/v2/other/app/manifests/1'];
    const isReady = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).status === 200;
    assert.equal(await ask(paths[0] ?? ''), 200);
    const filler = join(mount, 'filler');
    for (let round = 0; round < 2; round += 1) {
      await fill(filler);
      const begun = answers.length;
      // What is left of the last page takes a few records more.
      await until(async () => {
        for (const path of paths) await ask(path);
        return answers.slice(-3).every(({ status }) => status === 503);
      }, 'nothing is served');
      const refused = answers.slice(begun).find(({ status }) => status === 503);
      assert.match(refused?.text ?? '', /"code":"UNAVAILABLE".*access log unavailable/);
      assert.ok(refused?.headers['x-request-id']);
      await until(async () => !(await isReady()), '/readyz says no');
      // Administrators alone are let in, by the room that is kept for them: on the server, and by name and password.
      assert.match(await server.run(['user', 'list']), /alice/);
      const basic: string = `admin:${server.adminPassword}`;
      assert.equal((await server.request('/api/v1/users', { basic })).status, 200);
      await server.token(basic, 'repository:team/app:delete');
      assert.equal(await ask(paths[0] ?? ''), 503, 'and nobody else');
      const old = `/v2/team/app/manifests/old-${round}`;
      const remove = async (user: string) =>
        (await server?.request(old, { method: 'DELETE', basic: user }))?.status;
      assert.equal(await remove(`alice:${PASSWORD}`), 503, 'who is no administrator');
      const removed = await server.request(old, { method: 'DELETE', basic });
      answers.push(removed);
      assert.equal(removed.status, 202, removed.text);
      await server.run(['registry', 'gc']);
      await rm(filler);
      await until(isReady, '/readyz says yes');
      await until(async () => (await ask('/v2/team/app/manifests/1')) === 200, 'images are served');
      assert.equal(await ask(old), 404, 'what was deleted stays so');
    }
    assert.ok(existsSync(join(server.data, 'dockgate.sock')));
    await server.stop();
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
    const exported = await server.run(['audit', 'export']);
    const recorded = new Set([...exported.matchAll(/"requestId":"([^"]+)"/g)].map(([, id]) => id));
    const missing = answers.filter(
      ({ status, headers }) => status !== 503 && !recorded.has(String(headers['x-request-id'])),
    );
    assert.deepEqual(missing, []);
  });
});

/** Fills the file system to the last block. */
async function fill(path: string): Promise<void> {
  for (let bytes = 16 * 1024 * 1024; bytes >= 1024; bytes /= 2) {
    for (let isRoom = true; isRoom; ) {
      isRoom = await writeFile(path, Buffer.alloc(bytes), { flag: 'a' }).then(
        () => true,
        () => false,
      );
    }
  }
}
