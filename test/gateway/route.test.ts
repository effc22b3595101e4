import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseRoute } from '../../src/gateway/route.ts';
import { isRefusal } from '../../src/oci/index.ts';

const HEX = 'a'.repeat(64);

/** The parsed route in one line, or the refusal's status and code. */
function read(target: string): string {
  const route = parseRoute(target);
  if (isRefusal(route)) return `${route.status} ${route.code}`;
  switch (route.kind) {
    case 'base':
    case 'catalog':
      return route.kind;
    case 'manifest':
      return `manifest ${route.repository} ${route.reference.kind === 'tag' ? route.reference.tag : route.reference.digest}`;
    case 'blob':
    case 'referrers':
      return `${route.kind} ${route.repository} ${route.digest}`;
    case 'upload':
      return `upload ${route.repository} ${route.session}`;
    default:
      return `${route.kind} ${route.repository}`;
  }
}

describe('the route of a request', () => {
  const accepted: readonly (readonly [string, string])[] = [
    ['/v2/', 'base'],
    ['/v2', 'base'],
    ['/v2/_catalog?n=5', 'catalog'],
    ['/v2/pub/app/manifests/latest', 'manifest pub/app latest'],
    ['/v2/pub/app/manifests/latest?x=1', 'manifest pub/app latest'],
    [`/v2/pub/app/manifests/sha256:${HEX}`, `manifest pub/app sha256:${HEX}`],
    [`/v2/pub/app/manifests/sha256%3a${HEX}`, `manifest pub/app sha256:${HEX}`],
    [`/v2/pub/app/blobs/sha256:${HEX}`, `blob pub/app sha256:${HEX}`],
    [`/v2/pub/app/blobs/sha512:${HEX}${HEX}`, `blob pub/app sha512:${HEX}${HEX}`],
    [`/v2/pub/app/referrers/sha256:${HEX}`, `referrers pub/app sha256:${HEX}`],
    ['/v2/pub/app/tags/list', 'tags pub/app'],
    ['/v2/pub/app/blobs/uploads/', 'uploads pub/app'],
    ['/v2/pub/app/blobs/uploads', 'uploads pub/app'],
    ['/v2/pub/app/blobs/uploads/abc_-1', 'upload pub/app abc_-1'],
    ['/v2/a/manifests/manifests/latest', 'manifest a/manifests latest'],
    ['/v2/blobs/uploads/x/manifests/y', 'manifest blobs/uploads/x y'],
    ['/v2/pub/manifests/x', 'manifest pub x'],
    ['/v2/v2/token/api/manifests/1', 'manifest v2/token/api 1'],
    [`/v2/a/manifests/${'t'.repeat(128)}`, `manifest a ${'t'.repeat(128)}`],
    ['/v2/a__b/c--d/e.f_g/manifests/1', 'manifest a__b/c--d/e.f_g 1'],
  ];
  for (const [target, expected] of accepted) {
    it(`H-04, N-03, N-04: ${target.slice(0, 70)} is ${expected.slice(0, 60)}`, () => {
      assert.equal(read(target), expected);
    });
  }

  const refused: readonly (readonly [string, string, string])[] = [
    ['H-01', '/v2/pub/../secret/app/manifests/latest', '400 NAME_INVALID'],
    ['H-02', '/v2/pub/%2e%2e/secret/app/manifests/latest', '400 NAME_INVALID'],
    ['H-02', '/v2/pub/.%2e/secret/app/manifests/latest', '400 NAME_INVALID'],
    ['H-02', '/v2/pub/%2E./secret/app/manifests/latest', '400 NAME_INVALID'],
    ['0.9', '/v2/secret%2fapp/manifests/latest', '400 NAME_INVALID'],
    ['0.9', '/v2/secret%5capp/manifests/latest', '400 NAME_INVALID'],
    ['0.3', '/v2/secret\\app/manifests/latest', '400 NAME_INVALID'],
    ['H-05', `/v2/pub/app/manifests/%2573ha256:${HEX}`, '400 NAME_INVALID'],
    ['H-05', '/v2/pub/%252e%252e/app/manifests/latest', '400 NAME_INVALID'],
    ['H-06', '//v2/pub/app/manifests/latest', '400 NAME_INVALID'],
    ['H-06', '/v2//pub/app/manifests/latest', '400 NAME_INVALID'],
    ['H-06', '/v2/pub//app/manifests/latest', '400 NAME_INVALID'],
    ['H-07', '/v2/pub/app/manifests/latest%00.json', '400 NAME_INVALID'],
    ['H-07', '/v2/pub/app/manifests/latest%0a', '400 NAME_INVALID'],
    ['H-07', '/v2/pub/app/manifests/latest%7f', '400 NAME_INVALID'],
    ['H-09', '/v2/pub/app/manifests/latest;x=1', '400 NAME_INVALID'],
    ['H-09', '/v2/pub/app/manifests/latest#/../x', '400 NAME_INVALID'],
    ['H-09', '/v2/pub/app/manifests/latest?x=1#', '400 UNSUPPORTED'],
    ['H-10', '/v2/pub/%c0%ae%c0%ae/manifests/latest', '400 NAME_INVALID'],
    ['H-10', '/v2/pub/%ff/manifests/latest', '400 NAME_INVALID'],
    ['H-10', '/v2/pub/%e2%80%ae/manifests/latest', '400 NAME_INVALID'],
    ['H-11', 'http://evil.example/v2/pub/app/manifests/latest', '400 NAME_INVALID'],
    ['H-11', 'https://localhost:8443/v2/', '400 NAME_INVALID'],
    ['H-12', '*', '400 NAME_INVALID'],
    ['H-34', `/v2/${'a/'.repeat(8000)}manifests/x`, '414 NAME_INVALID'],
    ['H-34', '/v2/a/tags/list?n=1&n=2', '400 UNSUPPORTED'],
    [
      'H-34',
      `/v2/a/tags/list?${Array.from({ length: 40 }, (_, i) => `k${i}=1`).join('&')}`,
      '400 UNSUPPORTED',
    ],
    ['N-01', '/v2/Pub/App/manifests/latest', '400 NAME_INVALID'],
    ['N-02', '/v2/-a/manifests/latest', '400 NAME_INVALID'],
    ['N-02', '/v2/a-/manifests/latest', '400 NAME_INVALID'],
    ['N-02', '/v2/a..b/manifests/latest', '400 NAME_INVALID'],
    ['N-02', '/v2/a___b/manifests/latest', '400 NAME_INVALID'],
    ['N-02', '/v2/.git/manifests/latest', '400 NAME_INVALID'],
    ['N-02', `/v2/${'a'.repeat(256)}/manifests/latest`, '400 NAME_INVALID'],
    ['N-04', '/v2/_catalog/manifests/x', '400 NAME_INVALID'],
    ['N-06', `/v2/a/manifests/${'t'.repeat(129)}`, '404 MANIFEST_UNKNOWN'],
    ['N-06', '/v2/a/manifests/.x', '404 MANIFEST_UNKNOWN'],
    ['N-06', '/v2/a/manifests/-x', '404 MANIFEST_UNKNOWN'],
    ['N-06', '/v2/a/manifests/a:b', '400 DIGEST_INVALID'],
    ['N-06', '/v2/a/manifests/a@b', '400 NAME_INVALID'],
    ['N-06', '/v2/a/manifests/sha256:zz', '400 DIGEST_INVALID'],
    ['N-08', `/v2/a/blobs/sha256:${HEX}a`, '400 DIGEST_INVALID'],
    ['N-08', `/v2/a/blobs/sha256:${HEX.slice(1)}`, '400 DIGEST_INVALID'],
    ['N-08', `/v2/a/blobs/sha256:${HEX.toUpperCase()}`, '400 DIGEST_INVALID'],
    ['N-08', `/v2/a/blobs/sha256:${HEX}%0a`, '400 NAME_INVALID'],
    ['N-09', '/v2/a/blobs/sha256:..%2f..%2fetc', '400 NAME_INVALID'],
    ['N-09', '/v2/a/blobs/sha256:../../../etc/passwd', '400 NAME_INVALID'],
    ['N-19', '/v2/a/tags/list?last=%00', '400 UNSUPPORTED'],
    ['N-24', '/v2/a/tags/list?artifactType=%0d%0aX:y', '400 UNSUPPORTED'],
    ['-', '/v2/a/b', '400 NAME_INVALID'],
    ['-', '/v3/', '400 NAME_INVALID'],
    ['-', '', '400 NAME_INVALID'],
  ];
  for (const [id, target, expected] of refused) {
    it(`${id}: ${JSON.stringify(target).slice(0, 80)} is refused with ${expected}`, () => {
      assert.equal(read(target), expected);
    });
  }

  it('never throws, and names only repositories of the specification, whatever the target is', () => {
    const part = fc.constantFrom(
      'v2',
      'a',
      'manifests',
      'blobs',
      'uploads',
      'tags',
      'list',
      '..',
      '%2e',
      '%2f',
      '',
      '?',
      '#',
      '\0',
      '%',
      'sha256:',
    );
    const target = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(part, { maxLength: 8 }).map((parts) => `/v2/${parts.join('/')}`),
    );
    fc.assert(
      fc.property(target, (text) => {
        const route = parseRoute(text);
        if (isRefusal(route) || route.kind === 'base' || route.kind === 'catalog') return;
        assert.match(route.repository, /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/);
      }),
      { numRuns: 2000 },
    );
  });
});
