import assert from 'node:assert/strict';
import { judgeBundle } from '../../src/trust/bundle.ts';
import { readTrust } from '../../src/trust/index.ts';
import { digestOf } from '../support/image.ts';
import { createKeyless, type SignOptions } from '../support/keyless.ts';
import { statementOf } from '../support/signer.ts';

const SUBJECT = digestOf(Buffer.from('the image'));
const ISSUER = 'https://ci.test';
const NAME = 'https://git.test/corp/app/release.yml@refs/tags/v1';
const AT_MS = Date.UTC(2026, 5, 1);
const HOUR_MS = 3_600_000;
const sigstore = createKeyless();

const trusting = (
  subject = 'https://git.test/corp/app/release.yml@refs/tags/*',
  rootJson = sigstore.trustedRoot,
) =>
  readTrust({
    ...{ keys: [], stores: [], notation: [] },
    identities: [{ name: 'ci', issuer: ISSUER, subject }],
    root: { json: rootJson, where: 'root' },
  });

const signed = (options: Partial<SignOptions> = {}, statement = statementOf(SUBJECT)) =>
  sigstore.bundle(statement, { identity: { issuer: ISSUER, name: NAME }, atMs: AT_MS, ...options });

function refused(why: RegExp, bundle: Uint8Array, trust = trusting()): void {
  const outcome = judgeBundle(bundle, SUBJECT, trust);
  assert.ok(!outcome.ok, 'was accepted');
  assert.match(outcome.why, why);
}

describe('a signature without a key', () => {
  const accepted = { by: 'ci', who: NAME, issuer: ISSUER, atMs: AT_MS };

  it('counts by issuer and name, as a pattern or exactly, long after its certificate', () => {
    for (const subject of [undefined, NAME, '*@refs/tags/v1']) {
      const outcome = judgeBundle(signed(), SUBJECT, trusting(subject));
      assert.deepEqual(outcome, { ok: true, attested: [accepted] });
    }
  });

  it('counts by an address', () => {
    const bundle = signed({ identity: { issuer: ISSUER, name: 'anna@corp.test' } });
    const outcome = judgeBundle(bundle, SUBJECT, trusting('*@corp.test'));
    assert.deepEqual(outcome, { ok: true, attested: [{ ...accepted, who: 'anna@corp.test' }] });
  });

  it('counts as a provenance, with builder and source', () => {
    const type = 'https://slsa.dev/provenance/v1';
    const predicate = {
      buildDefinition: { externalParameters: { workflow: { repository: 'https://git.test/corp/app' } } },
      runDetails: { builder: { id: 'https://ci.test/runner' } },
    };
    const outcome = judgeBundle(signed({}, statementOf(SUBJECT, type, predicate)), SUBJECT, trusting());
    const what = {
      predicateType: type,
      builder: 'https://ci.test/runner',
      source: 'https://git.test/corp/app',
    };
    assert.deepEqual(outcome, { ok: true, attested: [{ ...accepted, ...what }] });
  });

  it('V-33: counts for nothing by another issuer or name, nor about another digest', () => {
    const identity = { issuer: 'https://evil.test', name: NAME };
    refused(/by https:\/\/git.test\/.*, who is not trusted/, signed({ identity }));
    refused(
      /who is not trusted/,
      signed({ identity: { issuer: ISSUER, name: `${NAME}.evil` } }),
      trusting(NAME),
    );
    refused(/who is not trusted/, signed(), trusting('https://git.test/corp/other/*'));
    refused(/by ci for another digest/, signed({}, statementOf(digestOf(Buffer.from('other')))));
  });

  for (const [title, options] of [
    ['a certificate that no log has', { certificateLog: 'none' }],
    ['a certificate whose log is forged', { certificateLog: 'forged' }],
    ['no entry in a log', { log: 'none' }],
    ['an entry of a forged log', { log: 'forged' }],
    ['an entry whose time nobody signed', { log: 'without promise' }],
    ['the entry of another signature', { log: 'of another signature' }],
    ['a certificate that was over when the log took it', { certificateFromMs: AT_MS - HOUR_MS }],
    ['a certificate that came after', { certificateFromMs: AT_MS + HOUR_MS }],
  ] as const) {
    it(`V-33: counts for nothing with ${title}`, () => {
      refused(/whose certificate or log entry does not verify/, signed(options));
    });
  }

  it('V-33: counts for nothing by an authority of another root, though all names are the same', () => {
    refused(/does not verify/, signed(), trusting(undefined, createKeyless().trustedRoot));
  });

  it('V-33: counts for nothing with its payload, its time or its certificate exchanged', () => {
    const other = JSON.parse(Buffer.from(signed()).toString());
    const changed = (change: (parsed: ReturnType<typeof JSON.parse>) => void): Uint8Array => {
      const parsed = JSON.parse(Buffer.from(signed()).toString());
      change(parsed);
      return Buffer.from(JSON.stringify(parsed));
    };
    for (const change of [
      (one) => (one.dsseEnvelope.payload = Buffer.from(statementOf(SUBJECT, 'x')).toString('base64')),
      (one) => (one.verificationMaterial.tlogEntries[0].integratedTime = String(AT_MS / 1000 + 1)),
      (one) => (one.verificationMaterial.certificate = other.verificationMaterial.certificate),
      (one) => (one.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries),
    ] satisfies ((parsed: ReturnType<typeof JSON.parse>) => void)[]) {
      refused(/does not verify/, changed(change));
    }
  });
});
