import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBreachedPasswords } from '../../src/auth/index.ts';

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex').toUpperCase();

describe('a list of breached passwords', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'dockgate-breached-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const written = (lines: readonly string[], end = '\n') => {
    const path = join(folder, `list-${lines.length}-${end.length}`);
    writeFileSync(path, lines.join(end) + end);
    return path;
  };
  const passwords = Array.from({ length: 300 }, (_, n) => `password-${n}`);

  for (const [form, print, end] of [
    ['plain hashes', (hash: string) => hash, '\n'],
    ['hashes with counts of different lengths', (hash: string, n: number) => `${hash}:${n ** 3 + 1}`, '\n'],
    ['lower-case hashes in lines of Windows', (hash: string) => hash.toLowerCase(), '\r\n'],
  ] as const) {
    it(`C-17: holds each of its passwords and no other, as ${form}`, async () => {
      const list = await openBreachedPasswords(written(passwords.map(sha1).toSorted().map(print), end));
      try {
        for (const password of passwords) assert.equal(await list.holds(password), true, password);
        for (let n = 0; n < 300; n += 1) assert.equal(await list.holds(`other-${n}`), false);
      } finally {
        await list.close();
      }
    });
  }

  it('may be of one line', async () => {
    const list = await openBreachedPasswords(written([sha1('only')]));
    assert.deepEqual([await list.holds('only'), await list.holds('other')], [true, false]);
    await list.close();
  });

  it('stops the start when it is missing, empty or something else, with its name', async () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'hunter2\nletmein\n');
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    for (const path of [join(folder, 'missing'), other, empty]) {
      await assert.rejects(openBreachedPasswords(path), (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.ok(error.message.includes(path));
        return true;
      });
    }
  });
});
