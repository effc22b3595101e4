import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, runCli, startDockgate } from '../support/dockgate.ts';

const PASSWORD = 'correct-horse-battery-9';
const CONFIG = `policies:
  - { name: from-file, match: ["lab/**"], mode: off, rules: { secrets: block } }
`;

describe('a command where no server runs', function () {
  this.timeout(120_000);
  let server: Dockgate;

  before(async () => {
    server = await startDockgate({ config: CONFIG, workers: 1 });
    await server.run(['policy', 'remove', 'default-advice']);
    await server.stop();
  });
  after(() => server.remove());

  it('opens the data itself, is recorded as local, and leaves the data closed', async () => {
    await server.run(['user', 'add', 'alice', '--password-stdin'], PASSWORD);
    assert.match(await server.run(['user', 'list']), /alice +active/);
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
    const found = await server.run(['audit', 'search', '--action', 'admin.user.add']);
    assert.match(found, /decision +allowed +201 +admin\.user\.add +local/);
    assert.equal(existsSync(join(server.data, 'run/cli.sock')), false);
  });

  it('touches no policy, though it reads no configuration of the server', async () => {
    const list = await server.run(['policy', 'list']);
    assert.match(list, /^from-file +off/m);
    assert.match(list, /^default +enforce/m);
    assert.doesNotMatch(list, /default-advice/);
    const { code, stderr } = await server.cli(['policy', 'remove', 'from-file']);
    assert.equal(code, 1);
    assert.match(stderr, /owned by the configuration file/);
  });

  it('one at a time: the second is told who has the data', async () => {
    const both = await Promise.all([server.cli(['user', 'list']), server.cli(['user', 'list'])]);
    const codes = both.map(({ code }) => code);
    // They may also have come one after the other.
    assert.ok(codes.includes(0));
    for (const { code, stderr } of both)
      if (code !== 0) assert.match(stderr, /^dockgate: .*(another|in use|locked)/);
  });

  it('is seen by the server that starts then', async () => {
    server = await startDockgate({
      config: CONFIG,
      workers: 1,
      directory: server.directory,
      port: server.port,
    });
    const answer = await server.request('/token?service=dockgate', { basic: `alice:${PASSWORD}` });
    assert.equal(answer.status, 200);
    assert.doesNotMatch(
      await server.run(['policy', 'list']),
      /default-advice/,
      'what was removed stays removed',
    );
    await server.stop();
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
  });

  it('says where it looked when there is no data', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'dockgate-empty-'));
    try {
      const { code, stderr } = await runCli(['--data', join(empty, 'data'), 'user', 'list'], { cwd: empty });
      assert.equal(code, 1);
      assert.match(stderr, /there is no dockgate data in .*data: start the server there first/);
      assert.deepEqual(readdirSync(empty), [], 'nothing was made');
    } finally {
      rmSync(empty, { recursive: true, force: true });
    }
  });

  describe('audit verify', () => {
    let copy: string;
    const verify = (...more: readonly string[]) =>
      runCli(['audit', 'verify', '--log', copy, ...more], { cwd: server.directory });

    beforeEach(() => {
      copy = mkdtempSync(join(tmpdir(), 'dockgate-copy-'));
      cpSync(join(server.data, 'audit'), copy, { recursive: true });
    });
    afterEach(() => rmSync(copy, { recursive: true, force: true }));

    it('is clean on a copy, with a public key and a checkpoint kept elsewhere', async () => {
      const key = join(server.data, 'audit/log/key.pub');
      const checkpoint = join(server.data, 'audit/log/checkpoint');
      const { code, stdout } = await verify('--public-key', key, '--against', checkpoint);
      assert.equal(code, 0);
      assert.match(stdout, /the log is whole: \d+ records/);
      assert.match(stdout, /it continues the checkpoints in /);
      assert.doesNotMatch(stdout, /believed/);
    });

    it('since a checkpoint says what it did not read, and takes a number of threads', async () => {
      const checkpoint = join(server.data, 'audit/log/checkpoint');
      const { code, stdout } = await verify('--since', checkpoint, '--threads', '2');
      assert.equal(code, 0);
      assert.match(stdout, /it continues the checkpoint in .*, and the \d+ records below that were not read/);
      const wrong = await verify('--threads', 'all');
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /--threads all: a whole number from 1 to 256/);
    });

    it('holds are added, listed and removed without a server', async () => {
      const hold = (...args: readonly string[]) =>
        runCli(['--data', server.data, 'audit', 'hold', ...args], { cwd: copy });
      const added = await hold('add', 'case-7', '--reason', 'order 7', '--repository', 'team/app');
      assert.deepEqual([added.code, added.stderr], [0, '']);
      assert.match((await hold('list')).stdout, /case-7 .*repository team\/app +order 7/);
      assert.equal(JSON.parse((await hold('list', '--json')).stdout).holds[0].name, 'case-7');
      assert.equal((await hold('remove', 'case-7')).code, 0);
      const again = await hold('remove', 'case-7');
      assert.deepEqual([again.code, again.stderr.trim()], [1, 'dockgate: there is no hold case-7']);
      assert.equal((await hold('add', 'Case 7', '--reason', 'x')).code, 2);
      const nowhere = await runCli(['--data', copy, 'audit', 'hold', 'list'], { cwd: copy });
      assert.match(nowhere.stderr, /holds no access log/);
    });

    it('says when it believed the key beside the log, which whoever made a false log would have exchanged', async () => {
      assert.match((await verify()).stdout, /^the public key beside it was believed$/m);
    });

    it('A-05: exits 1 on an edited record and names it', async () => {
      const edited = editOneRecord(copy);
      const { code, stdout, stderr } = await verify();
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(
        stderr,
        new RegExp(`^dockgate: the log is damaged: .*\\(record ${edited}, writer \\w+, seq \\d+, id \\w+\\)`),
      );
      const machine = await verify('--json');
      assert.equal(machine.code, 1);
      assert.equal(JSON.parse(machine.stdout).damage.index, edited);
    });

    it('A-08: exits 1 when an older copy was put back, by the checkpoint kept elsewhere', async () => {
      const kept = join(copy, 'kept-checkpoint');
      await server.run(['user', 'list']);
      writeFileSync(kept, readFileSync(join(server.data, 'audit/log/checkpoint')));
      assert.equal((await verify()).code, 0, 'the older copy alone looks whole');
      const { code, stderr } = await verify('--against', kept);
      assert.equal(code, 1);
      assert.match(stderr, /the log is damaged: /);
    });

    it('says which file it cannot read', async () => {
      const { code, stderr } = await verify('--public-key', join(copy, 'nothing.pub'));
      assert.equal(code, 1);
      assert.match(stderr, /cannot read .*nothing\.pub: ENOENT/);
    });
  });
});

/** Changes one letter inside the first record of an entry bundle. @returns the record's number. */
function editOneRecord(directory: string): number {
  const entries = join(directory, 'log/tile/entries');
  const file = readdirSync(entries, { recursive: true, encoding: 'utf8' })
    .map((name) => join(entries, name))
    .filter((path) => statSync(path).isFile())
    // Of partial bundles only the longest is still read.
    .toSorted((left, right) => statSync(left).size - statSync(right).size)
    .at(-1);
  if (file === undefined) throw new Error('the log has no entry bundle');
  const bytes = readFileSync(file);
  const at = bytes.indexOf('"outcome":"allowed"');
  // Each entry is its length in two bytes and then its line.
  let index = 0;
  for (let offset = 0; offset + 2 + bytes.readUInt16BE(offset) <= at; index += 1) {
    offset += 2 + bytes.readUInt16BE(offset);
  }
  bytes.write('refused', at + '"outcome":"'.length);
  writeFileSync(file, bytes);
  return index;
}
