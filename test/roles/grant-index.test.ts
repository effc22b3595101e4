import assert from 'node:assert/strict';
import fc from 'fast-check';
import { matchesPattern, parsePattern, type Repository } from '../../src/oci/index.ts';
import { grantsThatMayCover } from '../../src/roles/grant-index.ts';
import type { Grant } from '../../src/roles/index.ts';

const grant = (pattern: string, id = pattern): Grant => ({
  ...{ id, role: 'reader', actions: ['pull'], pattern, effect: 'allow' },
  subject: { kind: 'user', id: 'u', name: 'u' },
});
const found = (grants: readonly Grant[], name: string | undefined): readonly string[] =>
  grantsThatMayCover(grants, name as Repository | undefined)
    .flat()
    .map((read) => read.grant.pattern);

describe('the grants that may cover a name', () => {
  it('are those that begin alike, those that begin anyhow, and those that cannot be read', () => {
    const grants = [
      'team/**',
      'team',
      'other/**',
      '**',
      '*/app',
      'te*/app',
      'lab/**,team/x',
      'lab/**,**',
      '//',
    ].map((pattern) => grant(pattern));
    const anywhere = ['**', '*/app', 'te*/app', 'lab/**,**', '//'];
    assert.deepEqual(found(grants, 'team/app'), [...anywhere, 'team/**', 'team', 'lab/**,team/x']);
    assert.deepEqual(found(grants, 'team'), [...anywhere, 'team/**', 'team', 'lab/**,team/x']);
    assert.deepEqual(found(grants, 'unknown/app'), anywhere);
    assert.deepEqual(found(grants, undefined), anywhere);
  });

  it('leave out none that covers it, and name none twice', () => {
    const segment = fc.constantFrom('a', 'b', 'ab', 'a-b', 'lib');
    const wild = fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', 'lib', '**');
    const glob = fc.array(wild, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const part = fc.tuple(fc.boolean(), glob).map(([isExcluded, text]) => (isExcluded ? `!${text}` : text));
    const pattern = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(','));
    const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { maxLength: 20 }), name, (patterns, asked) => {
        const grants = patterns.map((text) => grant(text));
        const all = found(grants, asked);
        assert.equal(new Set(all).size, all.length);
        for (const text of patterns) {
          const read = parsePattern(text);
          if (!read.ok || matchesPattern(read.pattern, asked))
            assert.ok(all.includes(text), `${text}: ${asked}`);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
