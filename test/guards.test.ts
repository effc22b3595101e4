import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GUARDS } from './guard-list.ts';

/** Whether the guards are tested is for `npm run test:guards` to say; this keeps its list true. */
describe('the list of guards', () => {
  const root = join(import.meta.dirname, '..');
  for (const { guard, file, replace, with: instead, tests } of GUARDS) {
    it(`finds in its place: ${guard}`, () => {
      assert.equal(
        readFileSync(join(root, file), 'utf8').split(replace).length - 1,
        1,
        `${file}: ${replace}`,
      );
      assert.notEqual(instead, replace);
      for (const test of tests) assert.ok(existsSync(join(root, test)), test);
    });
  }
});
