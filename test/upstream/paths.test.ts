import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseState, printState, readUploadPath, withDigest } from '../../src/upstream/paths.ts';
import { digestOf } from '../support/image.ts';

const upstream = new URL('http://registry:5000');
const segment = fc.stringMatching(/^[A-Za-z0-9_~%=-]{1,20}$/);

describe('the state of an upload', () => {
  it('survives printing and parsing', () => {
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 5 }),
        segment,
        fc.nat(),
        (segments, query, offset) => {
          const place = { path: `/v2/${segments.join('/')}?_state=${query}`, offset };
          assert.deepEqual(parseState(printState(place)), place);
        },
      ),
    );
  });

  it('is a path that no reader reads differently, or nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const place = parseState(`/v2/${text}`);
        if (!place) return;
        const url = new URL(place.path, 'http://other');
        assert.equal(`${url.pathname}${url.search}`, place.path);
        assert.equal(url.host, 'other');
        assert.doesNotMatch(place.path, /[\s\\#"<>^`{|}]|\/\//);
      }),
      { numRuns: 500 },
    );
  });

  for (const text of [
    '/v2/../secret',
    '/v2/./a',
    '/v2/%2e%2e/secret',
    '//host/x',
    '/v2//x',
    '/v2/a\\b',
    '/v2/a#1#2',
    '/v2/a#-1',
    '/v2/a\r\nX: y',
    'http://host/v2/a',
    '/',
    '',
    `/v2/${'x'.repeat(2048)}`,
  ]) {
    it(`is not ${JSON.stringify(text.slice(0, 40))} (H-01, H-02, H-06, H-07)`, () => {
      assert.equal(parseState(text), undefined);
    });
  }
});

describe('the address of an upload', () => {
  it('is read against the request and keeps path and query (P-05)', () => {
    const read = (location: string) => readUploadPath(location, '/v2/a/blobs/uploads/', upstream);
    assert.equal(read('http://registry:5000/v2/a/1?_state=x%3D'), '/v2/a/1?_state=x%3D');
    assert.equal(read('https://registry:5000/v2/a/1'), '/v2/a/1');
    assert.equal(read('1?x'), '/v2/a/blobs/uploads/1?x');
    for (const location of [
      'http://registry/v2/a',
      'http://registry:5001/v2/a',
      'http://registry.evil:5000/v2/a',
    ]) {
      assert.throws(() => read(location), { code: 'DG_UPSTREAM_PROTOCOL' });
    }
  });

  it('takes the digest behind what it has', () => {
    const digest = digestOf(Buffer.from('x'));
    const escaped = digest.replace(':', '%3A');
    assert.equal(withDigest('/v2/a/1', digest), `/v2/a/1?digest=${escaped}`);
    assert.equal(withDigest('/v2/a/1?_state=x', digest), `/v2/a/1?_state=x&digest=${escaped}`);
  });
});
