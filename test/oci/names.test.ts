import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  algorithmOf,
  hexOf,
  parseDigest,
  parseReference,
  parseRepository,
  parseTag,
  printReference,
  shortDigest,
} from '../../src/oci/index.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

const HEX = '0123456789abcdef'.repeat(4);

describe('a repository name', () => {
  for (const name of [
    'a',
    'team/app',
    'a.b_c',
    'a__b',
    'a--b',
    'a-----b',
    '0/1/2',
    'a/b.c/d__e',
    'v2',
    'token',
    'api',
  ]) {
    it(`may be ${name}`, () => assert.equal(parseRepository(name), name));
  }

  it('N-02: may have 255 characters and not 256', () => {
    assert.ok(parseRepository('a'.repeat(255)));
    assert.equal(parseRepository('a'.repeat(256)), undefined);
  });

  it('N-03: may hold the words of routes; which one counts is for the route to say', () => {
    for (const name of ['pub/manifests/x', 'pub/blobs/uploads', 'a/manifests/manifests']) {
      assert.equal(parseRepository(name), name);
    }
  });

  const malformed = [
    ...[
      '',
      '-a',
      'a-',
      '_a',
      'a_',
      '.a',
      'a.',
      'a..b',
      'a___b',
      'a._b',
      'a-.b',
      'a/.b',
      '.git',
      'a//b',
      '/a',
      'a/',
    ],
    ...[
      'Pub/App',
      'pub/App',
      'a b',
      'a\n',
      '\na',
      'a\0',
      'a%2fb',
      'a\\b',
      'ä',
      'a/../b',
      '..',
      '_catalog',
      'a:b',
      'a@b',
    ],
    ...['\u212a', 'a\u200bb', '\uff41'],
  ];
  for (const name of malformed) {
    it(`N-01, N-02, N-04: is never ${JSON.stringify(name)}`, () =>
      assert.equal(parseRepository(name), undefined));
  }

  it('is never changed by being read', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,6}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}$/);
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        assert.equal(parseRepository(parts.join('/')), parts.join('/'));
      }),
    );
  });

  it('is one that the specification allows, whatever the text', () => {
    const specification = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
    const near = fc.string({ unit: fc.constantFrom(...'ab0._-/A:@%\n ') });
    fc.assert(
      fc.property(near, (text) => assert.equal(parseRepository(text) === text, specification.test(text))),
      { numRuns: 2000 },
    );
  });

  it('is refused at once however hard it tries', async () => {
    const spentMs = await cpuMsOf(() => {
      parseRepository(`${'a-'.repeat(120)}!`);
      parseRepository(`${'a'.repeat(254)}!`);
      parseRepository('a/'.repeat(1_000_000));
    });
    assert.ok(spentMs < 2000, `${spentMs} ms`);
  });
});

describe('a tag', () => {
  for (const tag of [
    'latest',
    '1.4',
    '_x',
    'A-b_c.D',
    'x'.repeat(128),
    `sha256-${HEX}`,
    `sha256-${HEX}.sig`,
  ]) {
    it(`N-06, N-07: may be ${tag.slice(0, 40)}`, () => assert.equal(parseTag(tag), tag));
  }
  for (const tag of [
    '',
    '.x',
    '-x',
    'a:b',
    'a@b',
    'a/b',
    'a b',
    'x'.repeat(129),
    'a\n',
    'ä',
    'a+b',
    'sha256:zz',
  ]) {
    it(`N-06: is never ${JSON.stringify(tag.slice(0, 40))}`, () => assert.equal(parseTag(tag), undefined));
  }
});

describe('a digest', () => {
  it('is sha256 with 64 or sha512 with 128 hexadecimal digits', () => {
    const short = parseDigest(`sha256:${HEX}`);
    const long = parseDigest(`sha512:${HEX}${HEX}`);
    assert.ok(short && long);
    assert.deepEqual([algorithmOf(short), hexOf(short)], ['sha256', HEX]);
    assert.deepEqual([algorithmOf(long), hexOf(long)], ['sha512', HEX + HEX]);
    assert.equal(shortDigest(short), 'sha256:0123456789ab');
  });

  const malformed = [
    ...[`sha256:${HEX.slice(1)}`, `sha256:${HEX}0`, `sha256:${HEX.toUpperCase()}`, `SHA256:${HEX}`, HEX],
    ...[
      `sha256:${HEX}%0a`,
      `sha256:${HEX}\n`,
      `sha256:${HEX} `,
      ` sha256:${HEX}`,
      `sha512:${HEX}`,
      `sha384:${HEX}`,
    ],
    ...[
      'sha256:../../../etc/passwd',
      'sha256:..%2f..',
      '../',
      'sha256:',
      ':',
      '',
      `sha256+b64:${HEX}`,
      `md5:${HEX}`,
    ],
  ];
  for (const text of malformed) {
    it(`N-08, N-09: is never ${JSON.stringify(text.slice(0, 30))}`, () =>
      assert.equal(parseDigest(text), undefined));
  }

  it('has a hexadecimal half that is safe as a file name', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'sha256:.0f/\\') }), (text) => {
        const digest = parseDigest(text);
        if (digest) assert.match(hexOf(digest), /^(?:[a-f0-9]{64}|[a-f0-9]{128})$/);
      }),
    );
  });
});

describe('a reference', () => {
  it('is a digest where it has a colon, a tag otherwise, and prints as it was read', () => {
    for (const text of ['latest', `sha256:${HEX}`, `sha256-${HEX}`]) {
      const reference = parseReference(text);
      assert.ok(reference);
      assert.equal(reference.kind, text.includes(':') ? 'digest' : 'tag');
      assert.equal(printReference(reference), text);
    }
  });

  it('N-06: is never something in between', () => {
    for (const text of ['sha256:zz', 'a:b', `sha256:${HEX}0`, 'latest@x', '', ':']) {
      assert.equal(parseReference(text), undefined, text);
    }
  });
});
