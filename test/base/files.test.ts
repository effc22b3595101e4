import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createFileDurably,
  isErrorWithCode,
  isTemporaryName,
  readPrivateFile,
  replaceFileDurably,
  StartError,
} from '../../src/base/index.ts';

describe('files that survive a crash', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-files-'));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const at = (name: string) => join(directory, name);
  const modeOf = (name: string) => lstatSync(at(name)).mode & 0o777;

  it('S-01: have the mode that was asked for, whatever the umask is', async () => {
    for (const mask of [0, 0o777]) {
      const before = process.umask(mask);
      try {
        await createFileDurably(at(`a${mask}`), 'x', 0o600);
        await replaceFileDurably(at(`b${mask}`), 'x', 0o644);
      } finally {
        process.umask(before);
      }
      assert.deepEqual([modeOf(`a${mask}`), modeOf(`b${mask}`)], [0o600, 0o644]);
    }
  });

  it('are created by one of many that try, and left alone by the others', async () => {
    const texts = ['a', 'b', 'c', 'd'];
    const won = await Promise.all(texts.map((text) => createFileDurably(at('key'), text, 0o600)));
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal(readFileSync(at('key'), 'utf8'), texts[won.indexOf(true)]);
  });

  it('are replaced as a whole', async () => {
    writeFileSync(at('file'), 'old');
    await replaceFileDurably(at('file'), Uint8Array.of(110, 101, 119), 0o600);
    assert.equal(readFileSync(at('file'), 'utf8'), 'new');
  });

  it('leave nothing behind when they cannot be written', async () => {
    mkdirSync(at('folder'));
    await assert.rejects(replaceFileDurably(at('folder'), 'x', 0o600), (error) =>
      isErrorWithCode(error, 'EISDIR'),
    );
    await assert.rejects(createFileDurably(at('none/x'), 'x', 0o600), (error) =>
      isErrorWithCode(error, 'ENOENT'),
    );
    assert.equal(await createFileDurably(at('folder'), 'x', 0o600), false);
    assert.deepEqual(readdirSync(directory), ['folder']);
  });

  it('S-17: are written under names that nobody can guess, and that can be told from others', () => {
    assert.equal(isTemporaryName(`.ca.key.${'a'.repeat(26)}.tmp`), true);
    for (const name of [
      'ca.key',
      '.ca.key.tmp',
      `ca.key.${'a'.repeat(26)}.tmp`,
      `.ca.key.${'A'.repeat(26)}.tmp`,
    ]) {
      assert.equal(isTemporaryName(name), false, name);
    }
  });
});

describe('a private file', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-private-'));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const at = (name: string) => join(directory, name);
  const write = (name: string, content: string, mode = 0o600) => {
    writeFileSync(at(name), content);
    chmodSync(at(name), mode);
  };
  const refuses = (name: string, message: RegExp) =>
    assert.rejects(readPrivateFile(at(name)), (error) => {
      assert.ok(error instanceof StartError, String(error));
      assert.match(error.message, message);
      assert.ok(error.message.includes(at(name)));
      return true;
    });

  it('is read, or is not there', async () => {
    write('key', 'secret');
    assert.equal(await readPrivateFile(at('key')), 'secret');
    assert.equal(await readPrivateFile(at('none')), undefined);
    assert.equal(await readPrivateFile(at('none/key')), undefined);
  });

  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o601, 0o677]) {
    it(`S-01: is refused with mode ${mode.toString(8)}`, async () => {
      write('key', 'secret', mode);
      await refuses('key', new RegExp(`may be read by others \\(mode 0${mode.toString(8)}\\): chmod 600`));
    });
  }

  it('S-02: is refused when it is empty, huge, a folder or a pipe', async () => {
    write('empty', '');
    await refuses('empty', /is empty/);
    write('huge', 'x'.repeat(65 * 1024));
    await refuses('huge', /larger than 64 KiB/);
    mkdirSync(at('folder'), { mode: 0o700 });
    await refuses('folder', /is not a regular file/);
  });

  it('S-02: is refused when it is a link out of its folder, to nothing, or round in a circle', async () => {
    symlinkSync('/etc/hostname', at('out'));
    await refuses('out', /is a link out of its directory/);
    symlinkSync('none', at('dangling'));
    await refuses('dangling', /cannot be read/);
    symlinkSync('circle', at('circle'));
    await refuses('circle', /cannot be read/);
  });

  it('may be a link to a file below its own folder', async () => {
    mkdirSync(at('..data'));
    write('..data/key', 'secret');
    symlinkSync('..data/key', at('key'));
    assert.equal(await readPrivateFile(at('key')), 'secret');
  });

  it('S-02: is refused when it belongs to another user', async () => {
    write('key', 'secret');
    const own = process.getuid;
    // Only root could give a file away; here somebody else asks for it.
    process.getuid = () => lstatSync(at('key')).uid + 1;
    try {
      if (lstatSync(at('key')).uid === 0) assert.equal(await readPrivateFile(at('key')), 'secret');
      else await refuses('key', /belongs to user/);
    } finally {
      if (own) process.getuid = own;
    }
  });
});
