import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadOrCreateLogKey } from '../../src/audit/index.ts';
import { StartError } from '../../src/base/index.ts';

describe('the key of the log', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-key-'));
    path = join(directory, 'keys', 'log.pem');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is made once, with mode 0600 in a directory of mode 0700 whatever the umask, and read after that', async () => {
    const mask = process.umask(0o277);
    try {
      const made = await loadOrCreateLogKey(path);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      assert.equal((await stat(join(directory, 'keys'))).mode & 0o777, 0o700);
      assert.deepEqual((await loadOrCreateLogKey(path)).publicKey, made.publicKey);
    } finally {
      process.umask(mask);
    }
  });

  it('is one key when two processes make it at the same time', async () => {
    const made = await Promise.all([loadOrCreateLogKey(path), loadOrCreateLogKey(path)]);
    assert.deepEqual(made[0]?.publicKey, made[1]?.publicKey);
  });

  for (const mode of [0o640, 0o604, 0o660, 0o644]) {
    it(`is refused with mode ${mode.toString(8)}`, async () => {
      await loadOrCreateLogKey(path);
      await chmod(path, mode);
      await assert.rejects(loadOrCreateLogKey(path), /others than its owner may read it; run: chmod 600/);
    });
  }

  it('is never replaced when it is broken, and the message quotes none of it', async () => {
    await loadOrCreateLogKey(path);
    const pem = await readFile(path, 'utf8');
    for (const broken of ['', 'not a key', pem.slice(0, 60), pem.replace(/M/g, 'N')]) {
      await writeFile(path, broken);
      await assert.rejects(loadOrCreateLogKey(path), (error) => {
        assert.ok(error instanceof StartError);
        assert.ok(!error.message.includes('BEGIN'));
        return true;
      });
      assert.equal(await readFile(path, 'utf8'), broken);
    }
  });

  it('is refused when it is of another kind', async () => {
    await loadOrCreateLogKey(path);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    await assert.rejects(loadOrCreateLogKey(path), /an ec key; the access log needs an Ed25519 key/);
  });

  it('is refused behind a symbolic link and as a directory', async () => {
    await loadOrCreateLogKey(path);
    await symlink(path, join(directory, 'link.pem'));
    await assert.rejects(loadOrCreateLogKey(join(directory, 'link.pem')), StartError);
    await assert.rejects(loadOrCreateLogKey(directory), StartError);
  });
});
