import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import * as fc from 'fast-check';
import { createManualClock } from '../../src/base/index.ts';
import { type Digest, parseManifest } from '../../src/oci/index.ts';
import {
  createVouchers,
  readTrust,
  type SignatureContent,
  type Trust,
  type Vouched,
} from '../../src/trust/index.ts';
import { repositoryOf } from '../policy/fixtures.ts';
import { type BuiltImage, buildArtifact, digestOf } from '../support/image.ts';
import { notationEnvelope } from '../support/notary.ts';
import {
  bundleOf,
  createSigner,
  envelopeOf,
  jsonOf,
  payloadOf,
  signatureOf,
  simpleSignature,
  statementOf,
} from '../support/signer.ts';
import { createCertificate } from '../support/x509.ts';
import { trustIn } from './fixtures.ts';

const APP = repositoryOf('team/app');
const SUBJECT = digestOf(Buffer.from('the image'));
const OTHER = digestOf(Buffer.from('another image'));
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const ENVELOPE = 'application/vnd.dsse.envelope.v1+json';
const SIMPLE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const release = createSigner();
const stranger = createSigner();
const CLOCK = createManualClock(Date.UTC(2026, 0, 1));
const TRUST = trustIn({ release });

/** A registry that holds these manifests as what may be signatures on `SUBJECT`. */
function holding(manifests: readonly BuiltImage[], indexes: readonly Digest[] = []): SignatureContent {
  return {
    listSignatures: async (_repository, digest) =>
      digest === SUBJECT ? manifests.map((one) => one.digest) : [],
    listIndexes: async (_repository, digest) => (digest === SUBJECT ? indexes : []),
    async openLayers(_repository, digest) {
      const found = manifests.find((one) => one.digest === digest);
      const parsed = found && parseManifest(found.manifest, found.mediaType);
      if (!parsed?.ok) return undefined;
      return parsed.manifest.layers.map((descriptor) => ({
        descriptor,
        read: async () => found?.layers.find((layer) => layer.digest === descriptor.digest)?.bytes,
      }));
    },
  };
}

const vouchedBy = (manifest: BuiltImage, trust: Trust = TRUST): Promise<Vouched> =>
  createVouchers({ clock: CLOCK, trust, content: holding([manifest]) }).findVouched(APP, SUBJECT);

const layerOf = (bytes: Uint8Array, mediaType: string): BuiltImage =>
  buildArtifact({ artifactType: mediaType, blobs: [{ bytes, mediaType }] });

describe('what vouches for an image', () => {
  for (const kind of ['ec', 'ed25519', 'rsa'] as const) {
    it(`is a signature by a trusted key (${kind}), as a payload, a bundle or an envelope`, async () => {
      const signer = createSigner(kind);
      const trust = trustIn({ signer });
      for (const manifest of [
        simpleSignature(SUBJECT, signer),
        layerOf(bundleOf(statementOf(SUBJECT), signer), BUNDLE),
        layerOf(jsonOf(envelopeOf(statementOf(SUBJECT), signer)), ENVELOPE),
      ]) {
        assert.deepEqual(await vouchedBy(manifest, trust), { attested: [{ by: 'signer' }], rejected: [] });
      }
    });
  }

  it('names every name under which the key is trusted, and until when', async () => {
    const trust = trustIn({ release, again: release }, { again: { untilMs: 7 } });
    assert.deepEqual((await vouchedBy(simpleSignature(SUBJECT, release), trust)).attested, [
      { by: 'release' },
      { by: 'again', untilMs: 7 },
    ]);
  });

  for (const [title, predicate, expected] of [
    [
      'v1',
      { runDetails: { builder: { id: 'b' } }, buildDefinition: { externalParameters: { source: 's' } } },
      {},
    ],
    [
      'v1 of GitHub',
      {
        runDetails: { builder: { id: 'b' } },
        buildDefinition: { externalParameters: { workflow: { repository: 's' } } },
      },
      {},
    ],
    ['v0.2', { builder: { id: 'b' }, invocation: { configSource: { uri: 's' } } }, {}],
  ] as const) {
    it(`is a provenance (${title}) with its builder and its source`, async () => {
      const bytes = bundleOf(statementOf(SUBJECT, 'https://slsa.dev/provenance', predicate), release);
      assert.deepEqual((await vouchedBy(layerOf(bytes, BUNDLE))).attested, [
        {
          by: 'release',
          predicateType: 'https://slsa.dev/provenance',
          builder: 'b',
          source: 's',
          ...expected,
        },
      ]);
    });
  }
});

describe('V-33: what vouches for nothing', () => {
  const text = (value: unknown): string => Buffer.from(jsonOf(value)).toString();
  const signed = (payload: Uint8Array): BuiltImage => simpleSignature(SUBJECT, release, payload);
  const bundle = (statement: Uint8Array, payloadType?: string): BuiltImage =>
    layerOf(bundleOf(statement, release, payloadType), BUNDLE);
  const changed = (change: (parsed: ReturnType<typeof JSON.parse>) => void): BuiltImage => {
    const parsed = JSON.parse(Buffer.from(bundleOf(statementOf(SUBJECT), release)).toString());
    change(parsed);
    return layerOf(jsonOf(parsed), BUNDLE);
  };
  const nested = '['.repeat(20_000);

  for (const [title, manifest, why] of [
    ['a payload for another digest', signed(payloadOf(OTHER)), 'a signature by release for another digest'],
    ['a payload of another type', signed(payloadOf(SUBJECT, 'atomic')), /no signature of an image$/],
    ['a payload that is no JSON', signed(Buffer.from('{')), /no signature of an image$/],
    ['a payload that is a list', signed(jsonOf([SUBJECT])), /no signature of an image$/],
    [
      'a payload that names two digests',
      signed(
        Buffer.from(
          text({ critical: { image: { 'docker-manifest-digest': OTHER } } }).replace(
            '"critical"',
            `"critical":${text({ image: { 'docker-manifest-digest': SUBJECT } })},"critical"`,
          ),
        ),
      ),
      /no signature of an image$/,
    ],
    ['a payload by a stranger', simpleSignature(SUBJECT, stranger), 'a signature by no trusted key'],
    [
      'a bundle by a stranger',
      layerOf(bundleOf(statementOf(SUBJECT), stranger), BUNDLE),
      'a signature by no trusted key',
    ],
    ['a bundle for another digest', bundle(statementOf(OTHER)), 'a signature by release for another digest'],
    [
      'a bundle whose payload is of another type',
      bundle(statementOf(SUBJECT), 'text/plain'),
      /holds no statement$/,
    ],
    [
      'a bundle whose payload is no statement',
      bundle(jsonOf({ subject: SUBJECT })),
      /holds no in-toto statement$/,
    ],
    ['a statement without predicate type', bundle(statementOf(SUBJECT, '')), /names no predicate type$/],
    ['a bundle that is no JSON', layerOf(Buffer.from('{'), BUNDLE), 'a bundle that cannot be read'],
    ['a bundle nested without end', layerOf(Buffer.from(nested), BUNDLE), 'a bundle that cannot be read'],
    [
      'a bundle without signature',
      changed((one) => (one.dsseEnvelope.signatures = [])),
      'a bundle that cannot be read',
    ],
    [
      'a bundle whose payload was exchanged',
      changed((one) => (one.dsseEnvelope.payload = Buffer.from(statementOf(OTHER)).toString('base64'))),
      'a signature by no trusted key',
    ],
    [
      'a bundle whose type was exchanged',
      changed((one) => (one.dsseEnvelope.payloadType = 'application/vnd.in-toto+jso')),
      'a signature by no trusted key',
    ],
    [
      'a bundle that holds a plain signature of something',
      changed((one) => {
        delete one.dsseEnvelope;
        one.messageSignature = {
          messageDigest: { algorithm: 'SHA2_256', digest: Buffer.from('x').toString('base64') },
          signature: signatureOf(Buffer.from('x'), release),
        };
      }),
      'a bundle that holds no statement',
    ],
    [
      'a bundle with a certificate where none counts',
      changed((one) => {
        one.verificationMaterial = { certificate: { rawBytes: Buffer.from('x').toString('base64') } };
      }),
      /^a signature by certificate, and no root|cannot be read/,
    ],
    ['an envelope that is none', layerOf(jsonOf([]), ENVELOPE), 'a signature by no trusted key'],
    [
      'a payload without a signature',
      layerOf(payloadOf(SUBJECT), SIMPLE),
      'a signature layer without a signature',
    ],
    [
      'a Notation signature in COSE',
      layerOf(Buffer.from('x'), 'application/cose'),
      'a Notation signature in COSE: sign as JWS',
    ],
    [
      'a Notation signature where no store is trusted',
      layerOf(notationEnvelope(SUBJECT, [createCertificate()]), 'application/jose+json'),
      'a Notation signature by C=DE, ST=BY, O=corp, CN=release, who is not trusted',
    ],
    [
      'what is labelled as one',
      layerOf(Buffer.from('worm'), 'application/x-tar'),
      /^what stands in the place/,
    ],
  ] as const) {
    it(`is ${title}`, async () => {
      const { attested, rejected } = await vouchedBy(manifest);
      assert.deepEqual([attested.length, rejected.length], [0, 1]);
      if (typeof why === 'string') assert.equal(rejected[0], why);
      else assert.match(rejected[0] ?? '', why);
    });
  }

  it('is what a revoked key signed, whatever else is right about it', async () => {
    const trust = trustIn({ release }, { release: { isRevoked: true } });
    for (const manifest of [simpleSignature(SUBJECT, release), bundle(statementOf(SUBJECT))]) {
      assert.deepEqual(await vouchedBy(manifest, trust), {
        attested: [],
        rejected: ['signed by release, which is revoked'],
      });
    }
  });

  it('T-14: is a signature of r = 0 and s = 0, or any one with a bit changed', async () => {
    const good = Buffer.from(signatureOf(payloadOf(SUBJECT), release), 'base64');
    const withSignature = (signature: Buffer): BuiltImage => {
      const built = simpleSignature(SUBJECT, release);
      const manifest = Buffer.from(
        Buffer.from(built.manifest)
          .toString()
          .replace(/(cosign\/signature":")[^"]*/, `$1${signature.toString('base64')}`),
      );
      return { ...built, manifest, digest: digestOf(manifest) };
    };
    const refusedWith = async (signature: Buffer) =>
      assert.deepEqual((await vouchedBy(withSignature(signature))).attested, []);
    await refusedWith(Buffer.from('3006020100020100', 'hex'));
    await refusedWith(Buffer.alloc(64));
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length * 8 - 1), async (bit) => {
        const bad = Buffer.from(good);
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await refusedWith(bad);
      }),
      { numRuns: 50 },
    );
  });
});

describe('looking for signatures', () => {
  it('looks at an index that lists the image, and at indexes that list themselves only once', async () => {
    const manifest = layerOf(bundleOf(statementOf(OTHER), release), BUNDLE);
    const content: SignatureContent = {
      ...holding([manifest]),
      listSignatures: async (_repository, digest) => (digest === OTHER ? [manifest.digest] : []),
      listIndexes: async () => [OTHER, SUBJECT],
    };
    const found = await createVouchers({ clock: CLOCK, trust: TRUST, content }).findVouched(APP, SUBJECT);
    assert.deepEqual(found.attested, [{ by: 'release' }]);
  });

  it('says that the content of a signature is missing, and looks again the next time', async () => {
    const manifest = layerOf(bundleOf(statementOf(SUBJECT), release), BUNDLE);
    let isThere = false;
    const content: SignatureContent = {
      ...holding([manifest]),
      openLayers: async (repository, digest) =>
        (await holding([manifest]).openLayers(repository, digest))?.map((layer) => ({
          ...layer,
          read: async () => (isThere ? layer.read() : undefined),
        })),
    };
    const vouchers = createVouchers({ clock: CLOCK, trust: TRUST, content });
    assert.deepEqual((await vouchers.findVouched(APP, SUBJECT)).rejected, [
      'a signature whose content is missing',
    ]);
    isThere = true;
    assert.deepEqual((await vouchers.findVouched(APP, SUBJECT)).attested, [{ by: 'release' }]);
  });

  it('judges anew by who is trusted now, and says so; what is still being judged is not kept', async () => {
    const manifest = layerOf(bundleOf(statementOf(SUBJECT), release), BUNDLE);
    const gate = Promise.withResolvers<void>();
    let isSlow = false;
    const content: SignatureContent = {
      ...holding([manifest]),
      async openLayers(repository, digest) {
        if (isSlow) await gate.promise;
        return holding([manifest]).openLayers(repository, digest);
      },
    };
    const vouchers = createVouchers({ clock: CLOCK, trust: TRUST, content });
    let told = 0;
    const stop = vouchers.onTrustChange(() => {
      told += 1;
    });
    assert.deepEqual((await vouchers.findVouched(APP, SUBJECT)).attested, [{ by: 'release' }]);
    vouchers.replaceTrust(trustIn({ release }, { release: { isRevoked: true } }));
    assert.deepEqual((await vouchers.findVouched(APP, SUBJECT)).rejected, [
      'signed by release, which is revoked',
    ]);
    vouchers.replaceTrust(TRUST);
    isSlow = true;
    const slow = vouchers.findVouched(APP, SUBJECT);
    vouchers.replaceTrust(trustIn({ release }, { release: { isRevoked: true } }));
    gate.resolve();
    await slow;
    assert.deepEqual((await vouchers.findVouched(APP, SUBJECT)).attested, []);
    assert.equal(told, 3);
    stop();
    vouchers.replaceTrust(TRUST);
    assert.equal(told, 3);
  });

  it('reads nothing that is too large to be a signature', async () => {
    const content: SignatureContent = {
      ...holding([]),
      listSignatures: async () => [OTHER],
      openLayers: async () => [
        {
          descriptor: { mediaType: BUNDLE, digest: OTHER, size: 1e9, annotations: {}, urls: [] },
          read: () => assert.fail('was read'),
        },
      ],
    };
    const { rejected } = await createVouchers({ clock: CLOCK, trust: TRUST, content }).findVouched(
      APP,
      SUBJECT,
    );
    assert.deepEqual(rejected, ['a signature that is too large']);
  });

  it('fails when the registry is away, so that nothing is served', async () => {
    const content = { ...holding([]), listSignatures: () => Promise.reject(new Error('away')) };
    await assert.rejects(
      createVouchers({ clock: CLOCK, trust: TRUST, content }).findVouched(APP, SUBJECT),
      /away/,
    );
  });
});

describe('a trusted key', () => {
  const keyOf = (pem: string) => () =>
    readTrust({
      keys: [{ name: 'a', pem, where: 'a.pub', isRevoked: false, untilMs: undefined }],
      identities: [],
      stores: [],
      notation: [],
      root: undefined,
    });
  const spki = { type: 'spki', format: 'pem' } as const;
  for (const [title, pem, message] of [
    ['no PEM', 'ssh-ed25519 AAAA', /a.pub holds no public key in PEM/],
    [
      'a private key',
      release.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      /a.pub is a private key: give the public one/,
    ],
    [
      'a key of another curve',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export(spki).toString(),
      /a.pub is of no supported kind/,
    ],
    [
      'a short RSA key',
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export(spki).toString(),
      /a.pub is of no supported kind/,
    ],
  ] as const) {
    it(`is not ${title}`, () => assert.throws(keyOf(pem), message));
  }

  it('is not confirmed by a file that is no trusted root', () => {
    assert.throws(
      () =>
        readTrust({
          keys: [],
          identities: [],
          stores: [],
          notation: [],
          root: { json: '{', where: 'root.json' },
        }),
      /root.json is no trusted root/,
    );
  });
});
