import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { readTrust, type TrustOptions } from '../../src/trust/index.ts';
import { judgeNotation } from '../../src/trust/notation/index.ts';
import { digestOf } from '../support/image.ts';
import { type EnvelopeChanges, notationEnvelope, targetOf } from '../support/notary.ts';
import {
  basicConstraints,
  createCertificate,
  createRevocationList,
  extension,
  type Holder,
  keyUsage,
  ofAuthority,
  ofSigner,
  purposes,
  sequence,
} from '../support/x509.ts';

const SUBJECT = digestOf(Buffer.from('the image'));
const OTHER = digestOf(Buffer.from('another image'));
const NOW_MS = Date.now();
const DAY_MS = 86_400_000;
const NAME = 'x509.subject: C=DE, ST=BY, O=corp, CN=release';
const NOTARY = 'io.cncf.notary.';

const root = createCertificate({ subject: 'C=DE, O=corp, CN=root', extensions: ofAuthority() });
const middle = createCertificate({
  subject: 'C=DE, O=corp, CN=middle',
  issuer: root,
  extensions: ofAuthority(0),
});
const release = createCertificate({ issuer: middle });
const CHAIN = [release, middle, root] as const;
const otherRoot = createCertificate({ subject: 'C=DE, O=corp, CN=root', extensions: ofAuthority() });

type Store = Partial<TrustOptions['stores'][number]>;

const trusting = (store: Store = {}, identities: readonly string[] = [NAME]) =>
  readTrust({
    ...{ keys: [], identities: [], root: undefined },
    stores: [
      { name: 'acme', type: 'ca', pem: root.pem, crlPem: undefined, where: 'trust.stores.0', ...store },
    ],
    notation: [
      {
        name: 'acme-release',
        trustStores: [`${store.type ?? 'ca'}:acme`],
        trustedIdentities: identities,
        where: 'trust.notation.0',
      },
    ],
  }).notation;

const judge = (
  envelope: Uint8Array,
  {
    store,
    identities,
    nowMs = NOW_MS,
  }: { store?: Store; identities?: readonly string[]; nowMs?: number } = {},
) => judgeNotation(envelope, SUBJECT, trusting(store, identities), nowMs);

type Chain = readonly [Holder, ...Holder[]];
const signed = (changes?: EnvelopeChanges, chain: Chain = CHAIN) => notationEnvelope(SUBJECT, chain, changes);

async function accepted(...args: Parameters<typeof judge>) {
  const outcome = await judge(...args);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  const [attested] = outcome.attested;
  assert.ok(attested);
  return attested;
}
async function refused(why: RegExp, ...args: Parameters<typeof judge>): Promise<void> {
  const outcome = await judge(...args);
  assert.ok(!outcome.ok, 'was accepted');
  assert.match(outcome.why, why);
}

describe('a Notation signature', () => {
  it('counts by a certificate of a trust store, for a trusted subject, until a certificate ends', async () => {
    const { untilMs = 0, ...attested } = await accepted(signed());
    assert.deepEqual(attested, {
      by: 'acme-release',
      who: 'C=DE, ST=BY, O=corp, CN=release',
      issuer: 'C=DE, O=corp, CN=middle',
      atMs: Date.UTC(2026, 0, 1),
    });
    assert.ok(untilMs > NOW_MS + 29 * DAY_MS && untilMs < NOW_MS + 31 * DAY_MS);
  });

  it('counts by an RSA key, by a certificate that is its own root, and for any subject where that is said', async () => {
    const rsa = createCertificate({ issuer: root, kind: 'rsa' });
    await accepted(signed({}, [rsa, root]));
    const alone = createCertificate();
    await accepted(signed({}, [alone]), { store: { pem: alone.pem }, identities: ['*'] });
  });

  it('counts for a part of the subject, and not where one attribute differs', async () => {
    await accepted(signed(), { identities: ['x509.subject: C=DE, S=BY, O=corp'] });
    for (const name of [
      'C=DE, ST=BY, O=corp, CN=Release',
      'C=DE, ST=BY, O=corp, CN=release, OU=x',
      'C=DE, ST=BY, O=corp2',
    ]) {
      await refused(/by C=DE, .*, who is not trusted/, signed(), { identities: [`x509.subject: ${name}`] });
    }
    const twice = createCertificate({ issuer: root, subject: 'C=DE, ST=BY, O=evil, O=corp, CN=release' });
    await refused(/who is not trusted/, signed({}, [twice, root]));
  });

  it('counts under the scheme of a signing authority only by a store of that type, at the time it says', async () => {
    const scheme = (time: string): EnvelopeChanges => ({
      header: {
        crit: [`${NOTARY}signingScheme`, `${NOTARY}authenticSigningTime`],
        [`${NOTARY}signingScheme`]: 'notary.x509.signingAuthority',
        [`${NOTARY}signingTime`]: undefined,
        [`${NOTARY}authenticSigningTime`]: time,
      },
    });
    const store = { type: 'signingAuthority' } as const;
    const now = scheme(new Date(NOW_MS).toISOString());
    const { atMs } = await accepted(signed(now), { store });
    assert.equal(atMs, NOW_MS);
    // A year later its certificates are out of date, and were not when it signed.
    await accepted(signed(now), { store, nowMs: NOW_MS + 365 * DAY_MS });
    await refused(/who is not trusted/, signed(now));
    await refused(/who is not trusted/, signed(), { store });
    await refused(/not valid yet/, signed(scheme('2020-01-01T00:00:00Z')), { store });
    await refused(/out of date/, signed(scheme('2099-01-01T00:00:00Z')), { store });
  });

  it('V-33: counts for nothing about another digest', () =>
    refused(/by C=DE, .* for another digest/, notationEnvelope(OTHER, CHAIN)));

  it('V-33: counts for nothing by another root, also one of the same name', async () => {
    await refused(/who is not trusted/, signed(), { store: { pem: otherRoot.pem } });
    await refused(/do not verify/, signed({}, [release, middle, otherRoot]), {
      store: { pem: otherRoot.pem },
    });
  });

  it('V-33: counts for nothing before or after its certificates hold, nor past its own expiry', async () => {
    const chain = (fromMs: number, untilMs: number): Chain => [
      createCertificate({ issuer: root, fromMs, untilMs }),
      root,
    ];
    await refused(/out of date/, signed({}, chain(NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS)));
    await refused(/not valid yet/, signed({}, chain(NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS)));
    const expiring = (timeMs: number): EnvelopeChanges => ({
      header: {
        crit: [`${NOTARY}signingScheme`, `${NOTARY}expiry`],
        [`${NOTARY}expiry`]: new Date(timeMs).toISOString(),
      },
    });
    await refused(/that has expired/, signed(expiring(NOW_MS)));
    assert.equal((await accepted(signed(expiring(NOW_MS + 1)))).untilMs, NOW_MS + 1);
  });

  const time = (value: unknown): EnvelopeChanges => ({ header: { [`${NOTARY}signingTime`]: value } });
  for (const [title, changes] of [
    ['another content type', { header: { cty: 'text/plain' } }],
    ['an algorithm that is not that of the key', { header: { alg: 'ES384' } }],
    ['no algorithm', { header: { alg: 'none' } }],
    ['no list of what is critical', { header: { crit: undefined } }],
    ['a scheme that is not critical', { header: { crit: [`${NOTARY}signingTime`] } }],
    [
      'a critical attribute that nobody here knows',
      { header: { crit: [`${NOTARY}signingScheme`, 'x'], x: 1 } },
    ],
    [
      'a critical attribute that the library alone knows',
      { header: { crit: [`${NOTARY}signingScheme`, 'b64'], b64: true } },
    ],
    ['a plugin that should decide', { header: { [`${NOTARY}verificationPlugin`]: 'com.example' } }],
    ['a scheme that is not known', { header: { [`${NOTARY}signingScheme`]: 'notary.x509.next' } }],
    ['an expiry that is not critical', { header: { [`${NOTARY}expiry`]: '2099-01-01T00:00:00Z' } }],
    [
      'the authentic time of another scheme',
      { header: { [`${NOTARY}authenticSigningTime`]: '2026-01-01T00:00:00Z' } },
    ],
    ['no time of signing', time(undefined)],
    ['a time of signing that is none', time('yesterday')],
    [
      'a payload that was exchanged',
      {
        outer: {
          payload: Buffer.from(JSON.stringify(targetOf(SUBJECT)))
            .toString('base64url')
            .replace(/^e/, 'f'),
        },
      },
    ],
    ['two signatures', { outer: { signatures: [] } }],
    ['no certificates', { unprotected: { x5c: undefined } }],
    ['certificates that are none', { unprotected: { x5c: ['AAAA'] } }],
    [
      'certificates in another order',
      { unprotected: { x5c: [release, root, middle].map((one) => one.der.toString('base64')) } },
    ],
    [
      'certificates without their root',
      { unprotected: { x5c: [release, middle].map((one) => one.der.toString('base64')) } },
    ],
  ] as const) {
    it(`V-33: counts for nothing with ${title}`, () => refused(/do not verify/, signed(changes)));
  }

  const CODE = '1.3.6.1.5.5.7.3.3';
  for (const [title, extensions] of [
    ['without key usage', [purposes(CODE)]],
    ['with a key usage that is not critical', [keyUsage([0], false)]],
    ['that also signs certificates', [keyUsage([0, 5])]],
    ['that is for another usage', [keyUsage([1])]],
    ['that is for servers', [keyUsage([0]), purposes(CODE, '1.3.6.1.5.5.7.3.1')]],
    ['that is for anything', [keyUsage([0]), purposes('2.5.29.37.0')]],
    ['that is an authority', [keyUsage([0]), basicConstraints(true)]],
    ['with one extension twice', [keyUsage([0]), keyUsage([0])]],
  ] as const) {
    it(`V-33: counts for nothing by a certificate ${title}`, () =>
      refused(/do not verify/, signed({}, [createCertificate({ issuer: root, extensions }), root])));
  }

  for (const [title, extensions] of [
    ['of which nothing says that it is one', ofSigner()],
    ['that may not issue certificates', [basicConstraints(true), keyUsage([0, 6])]],
    ['that may not have one below itself', [...ofAuthority(0)]],
  ] as const) {
    it(`V-33: counts for nothing by an authority ${title}`, () => {
      const above = createCertificate({ subject: 'CN=above', issuer: root, extensions });
      const below = createCertificate({ subject: 'CN=below', issuer: above, extensions: ofAuthority() });
      const leaf = createCertificate({ issuer: below });
      return refused(/do not verify/, signed({}, [leaf, below, above, root]));
    });
  }

  it('V-33: counts for nothing by a certificate that is signed with SHA-1 or has a key of another kind', async () => {
    await refused(/do not verify/, signed({}, [createCertificate({ issuer: root, hash: 'sha1' }), root]));
    await refused(/do not verify/, signed({}, [createCertificate({ issuer: root, kind: 'P-224' }), root]));
  });

  it('V-33: counts for nothing with any bit of it changed, and never throws', async () => {
    const good = Buffer.from(signed());
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length * 8 - 1), async (bit) => {
        const bad = Buffer.from(good);
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const outcome = await judge(bad);
        // Base64 has bits that say nothing; what it says then is the same.
        if (outcome.ok) assert.deepEqual(outcome, await judge(good));
      }),
      { numRuns: 60 },
    );
  });
});

describe('a Notation certificate that was revoked', () => {
  const all = (revoked: readonly Holder[] = [], of: Holder = middle) =>
    createRevocationList(root, of === root ? revoked : []) +
    createRevocationList(middle, of === middle ? revoked : []);

  it('counts until then, while lists that are in date cover the whole chain', async () => {
    const { untilMs = 0 } = await accepted(signed(), { store: { crlPem: all() } });
    assert.ok(untilMs > NOW_MS && untilMs <= Date.now() + DAY_MS);
    await refused(/no list that is in date says/, signed(), {
      store: { crlPem: createRevocationList(root, []) },
    });
    await refused(/no list that is in date says/, signed(), {
      store: { crlPem: all() },
      nowMs: NOW_MS + 2 * DAY_MS,
    });
  });

  it('counts no longer, be it the signer or who issued it', async () => {
    await refused(/whose certificate is revoked/, signed(), { store: { crlPem: all([release]) } });
    await refused(/whose certificate is revoked/, signed(), { store: { crlPem: all([middle], root) } });
    // Also by a list that has become old.
    await refused(/whose certificate is revoked/, signed(), {
      store: { crlPem: all([release]) },
      nowMs: NOW_MS + 2 * DAY_MS,
    });
  });

  it('is not excused by a list of somebody else, nor of who may not make lists', async () => {
    const forged = createRevocationList({ name: middle.name, privateKey: otherRoot.privateKey }, []);
    await refused(/no list that is in date says/, signed(), {
      store: { crlPem: createRevocationList(root, []) + forged },
    });
    const mute = createCertificate({
      ...{ subject: 'CN=mute', issuer: root },
      extensions: [basicConstraints(true), keyUsage([5])],
    });
    const chain: Chain = [createCertificate({ issuer: mute }), mute, root];
    const crlPem = createRevocationList(root, []) + createRevocationList(mute, []);
    await refused(/no list that is in date says/, signed({}, chain), { store: { crlPem } });
  });

  it('counts for nothing where it says whom to ask and nobody here can answer', async () => {
    const asking = createCertificate({
      issuer: root,
      extensions: [...ofSigner(), extension('2.5.29.31', sequence())],
    });
    await refused(/its store has no crlFile/, signed({}, [asking, root]));
    await accepted(signed({}, [asking, root]), { store: { crlPem: createRevocationList(root, []) } });
  });
});

describe('the configuration of Notation', () => {
  for (const [title, store, identities, message] of [
    ['a store without a certificate', { pem: 'x' }, [NAME], /trust.stores.0 holds no certificate in PEM/],
    ['a store with a broken certificate', { pem: root.pem.replace(/MII/, 'MIX') }, [NAME], /cannot be read/],
    ['a store with the certificate of a signer', { pem: release.pem }, [NAME], /certificate of no authority/],
    ['a list that is none', { crlPem: 'x' }, [NAME], /holds no list in PEM/],
    [
      'a list without an end',
      { crlPem: createRevocationList(root, [], { isEndless: true }) },
      [NAME],
      /until when it holds/,
    ],
    [
      'a list of changes alone',
      { crlPem: createRevocationList(root, [], { extensions: [extension('2.5.29.27', sequence(), true)] }) },
      [NAME],
      /no full list/,
    ],
    ['a subject of another kind', {}, ['CN=release'], /write \* or "x509.subject:/],
    ['a subject without a country', {}, ['x509.subject: ST=BY, O=corp'], /lacks C of the subject/],
    ['a subject that names one thing twice', {}, [`${NAME}, CN=x`], /names CN twice/],
    ['a subject of joined attributes', {}, ['x509.subject: C=DE+ST=BY, O=corp'], /is no attribute/],
  ] as const) {
    it(`does not take ${title}`, () => {
      assert.throws(() => trusting(store, identities), message);
    });
  }

  it('does not take a store that is not there', () => {
    const options = { keys: [], identities: [], stores: [], root: undefined };
    const notation = [{ name: 'a', trustStores: ['ca:b'], trustedIdentities: ['*'], where: 'here' }];
    assert.throws(() => readTrust({ ...options, notation }), /here: there is no trust store ca:b/);
  });

  it('takes a comma that is escaped as part of a value', async () => {
    const comma = createCertificate({ issuer: root, subject: 'C=DE, ST=BY, O=corp,inc' });
    await accepted(signed({}, [comma, root]), { identities: ['x509.subject: C=DE, ST=BY, O=corp\\,inc'] });
  });
});
