import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { judge, parseOpenVex } from '../../src/policy/index.ts';
import { readPurl } from '../../src/policy/purl.ts';
import { effectiveOf, factsOf, findingOf, IMAGE, NOW_MS, policyOf, waiverOf } from './fixtures.ts';

const HEX = IMAGE.slice('sha256:'.length);
const PRODUCT = `pkg:oci/app@sha256%3A${HEX}?repository_url=reg.corp/prod`;
const vulnerability = { name: 'CVE-1' };
const product = { '@id': PRODUCT };

const documentOf = (statements: unknown, more: object = {}): string =>
  JSON.stringify({
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'https://corp.test/vex/1',
    author: 'security@corp.test',
    timestamp: '2026-01-01T00:00:00Z',
    version: 1,
    statements,
    ...more,
  });

/** Findings, packages and reasons that a document excuses on the image. */
function excusedBy(...statements: readonly object[]): readonly (string | undefined)[][] {
  const read = parseOpenVex(documentOf(statements));
  assert.ok(read.ok, read.ok ? '' : read.problem);
  assert.ok(read.excuses.every((excuse) => excuse.digest === IMAGE));
  return read.excuses.map((excuse) => [excuse.finding, excuse.package, excuse.why]);
}

describe('an OpenVEX document', () => {
  const stated = { vulnerability, products: [product], status: 'not_affected' };

  it('excuses what does not affect an image or is fixed in it, under each of its names', () => {
    const more = { justification: 'vulnerable_code_not_present', impact_statement: 'no plugin' };
    assert.deepEqual(excusedBy({ ...stated, ...more }), [
      ['CVE-1', undefined, 'not_affected, vulnerable_code_not_present: no plugin'],
    ]);
    const fixed = {
      ...stated,
      vulnerability: { name: 'CVE-2', aliases: ['GHSA-2', 7, 'a b'] },
      status: 'fixed',
    };
    assert.deepEqual(excusedBy(fixed), [
      ['CVE-2', undefined, 'fixed'],
      ['GHSA-2', undefined, 'fixed'],
    ]);
    assert.deepEqual(excusedBy({ ...stated, vulnerability: 'CVE-3', products: [PRODUCT] }), [
      ['CVE-3', undefined, 'not_affected'],
    ]);
  });

  it('excuses vulnerabilities alone, no secret by its name', () => {
    assert.deepEqual(excusedBy({ ...stated, vulnerability: { name: 'aws-access-key-pair' } }), []);
  });

  it('names an image by the digest of its purl, or by a hash', () => {
    for (const named of [
      { '@id': 'x', identifiers: { purl: PRODUCT } },
      { '@id': 'x', hashes: { 'sha-256': HEX } },
    ]) {
      assert.equal(excusedBy({ ...stated, products: [named] }).length, 1);
    }
  });

  it('excuses a finding only in the packages that it names', () => {
    const parts = ['pkg:deb/debian/openssl@3.0.1', 'pkg:npm/%40corp/lib'].map((id) => ({ '@id': id }));
    assert.deepEqual(excusedBy({ ...stated, products: [{ ...product, subcomponents: parts }] }), [
      ['CVE-1', 'openssl@3.0.1', 'not_affected'],
      ['CVE-1', '@corp/lib', 'not_affected'],
    ]);
  });

  it('excuses nothing of a product that no digest names, and counts it', () => {
    for (const strange of [
      'pkg:oci/app',
      'pkg:oci/app@1.2',
      'pkg:deb/debian/openssl@sha256:1',
      'https://corp.test/app',
      { '@id': 'x', hashes: { 'sha-256': 'beef' } },
      { ...product, subcomponents: ['not a package'] },
      7,
    ]) {
      const read = parseOpenVex(documentOf([{ ...stated, products: [strange] }]));
      assert.deepEqual(read.ok && [read.excuses, read.unnamed], [[], 1], JSON.stringify(strange));
    }
  });

  it('takes back by a later statement what an earlier one excused, whatever their order in it', () => {
    const at = (day: number) => ({ timestamp: `2026-02-0${day}T00:00:00Z` });
    const affected = { ...stated, status: 'affected', ...at(2) };
    const inPart = { ...product, subcomponents: ['pkg:deb/debian/openssl@3'] };
    assert.deepEqual(excusedBy(affected, { ...stated, ...at(1) }), []);
    assert.equal(excusedBy(affected, { ...stated, ...at(3) }).length, 1);
    assert.deepEqual(excusedBy({ ...stated, products: [inPart], ...at(1) }, affected), []);
    assert.deepEqual(excusedBy({ ...stated, ...at(1) }, { ...affected, products: [inPart] }), []);
    assert.equal(excusedBy({ ...stated, ...at(1) }, { ...affected, vulnerability: 'CVE-9' }).length, 1);
    assert.deepEqual(excusedBy({ ...stated, status: 'under_investigation' }), []);
  });

  for (const [title, text, problem] of [
    ['no JSON', '{', /is not strict JSON/],
    ['another document', JSON.stringify({ bomFormat: 'CycloneDX' }), /@context: is not that of OpenVEX/],
    ['one without author', documentOf([], { author: undefined }), /must have @id, author and timestamp/],
    ['one without time', documentOf([], { timestamp: 'soon' }), /must have @id, author and timestamp/],
    ['one without statements', documentOf(7), /statements: must be a list/],
    [
      'one with another status',
      documentOf([{ ...stated, status: 'fine' }]),
      /status must be one of not_affected/,
    ],
    [
      'one that excuses too much',
      documentOf(Array.from({ length: 1001 }, (_, at) => ({ ...stated, vulnerability: `CVE-${at}` }))),
      /excuse more than 1000 findings/,
    ],
  ] as const) {
    it(`is not ${title}`, () => {
      const read = parseOpenVex(text);
      assert.match(read.ok ? 'read' : read.problem, problem);
    });
  }

  it('never throws, whatever it holds', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, products) => {
        parseOpenVex(documentOf(value));
        parseOpenVex(documentOf([{ ...stated, products }, value]));
        parseOpenVex(JSON.stringify(value));
      }),
    );
  });
});

describe('a package URL', () => {
  for (const [text, name, version] of [
    ['pkg:golang/github.com/corp/app@v1.2.3', 'github.com/corp/app', 'v1.2.3'],
    ['pkg:maven/org.corp/app@1?type=jar#x', 'org.corp:app', '1'],
    ['pkg:apk/alpine/busybox@1.36.1-r5?arch=x86_64', 'busybox', '1.36.1-r5'],
    ['pkg:pypi/requests', 'requests', undefined],
    ['pkg:npm/a%2', undefined, undefined],
    ['npm/a@1', undefined, undefined],
  ] as const) {
    it(`names a package as scanners do: ${text}`, () => {
      const purl = readPurl(text);
      assert.deepEqual([purl?.name, purl?.version], [name, version]);
    });
  }
});

describe('a waiver for a finding in one package', () => {
  const verdictOn = (only: string, more: object) => {
    const facts = factsOf({ findings: [{ ...findingOf(), ...more }] });
    const waiver = { ...waiverOf({ finding: findingOf().id }), package: only };
    return judge(
      facts,
      IMAGE,
      effectiveOf([policyOf({ vulnerabilities: { block: 'low', fixableOnly: false } })], [waiver]),
      NOW_MS,
    ).reasons.length;
  };
  it('holds there, in the version that it names, and nowhere else', () => {
    const openssl = { package: 'openssl', installedVersion: '3' };
    assert.equal(verdictOn('openssl', openssl), 0);
    assert.equal(verdictOn('openssl@3', openssl), 0);
    assert.equal(verdictOn('openssl@4', openssl), 1);
    assert.equal(verdictOn('zlib', openssl), 1);
    assert.equal(verdictOn('undefined@undefined', { package: undefined, installedVersion: undefined }), 1);
  });
});
