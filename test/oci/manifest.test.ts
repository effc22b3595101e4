import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  isAttestationChild,
  isImageLayerType,
  isIndexType,
  isSchema1Type,
  MANIFEST_BYTES_MAX,
  MEDIA_TYPES,
  mediaTypeOf,
  namedBy,
  parseManifest,
} from '../../src/oci/index.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const digestOf = (index: number) => `sha256:${index.toString(16).padStart(64, '0')}`;
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const config = { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf(1), size: 10 };
const layer = { mediaType: LAYER, digest: digestOf(2), size: 20 };
const image = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [layer] };
const child = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(3), size: 30 };
const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [child] };

type Json = Readonly<Record<string, unknown>>;
const bytesOf = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const read = (value: unknown, contentType?: string) => {
  const result = parseManifest(bytesOf(value), contentType);
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return result.manifest;
};
const problemOf = (value: unknown, contentType?: string) => {
  const result = parseManifest(bytesOf(value), contentType);
  return result.ok ? 'accepted' : result.problem;
};

describe('a manifest', () => {
  it('is an image when its config is one', () => {
    const manifest = read(image, MEDIA_TYPES.ociManifest);
    assert.equal(manifest.kind, 'image');
    assert.equal(manifest.config?.digest, config.digest);
    assert.deepEqual(
      manifest.layers.map(({ size }) => size),
      [20],
    );
    assert.deepEqual(
      namedBy(manifest).map(({ digest }) => digest),
      [digestOf(1), digestOf(2)],
    );
  });

  it("is an image in Docker's words, too", () => {
    const layers = [{ ...layer, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }];
    const docker = {
      ...image,
      mediaType: MEDIA_TYPES.dockerManifest,
      config: { ...config, mediaType: MEDIA_TYPES.dockerConfig },
      layers,
    };
    assert.equal(read(docker, MEDIA_TYPES.dockerManifest).kind, 'image');
  });

  it('is an image when it holds a layer of a root file system, whatever its config says', () => {
    for (const mediaType of [
      'application/vnd.oci.image.layer.v1.tar',
      'application/vnd.oci.image.layer.v1.tar+zstd',
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      'application/vnd.docker.image.rootfs.diff.tar.zstd',
      'application/vnd.oci.image.layer.v1.tar+xz',
      'Application/vnd.oci.image.LAYER.v1.tar+gzip',
    ]) {
      assert.ok(isImageLayerType(mediaType), mediaType);
      const disguised = {
        ...image,
        config: { ...config, mediaType: 'application/x' },
        layers: [{ ...layer, mediaType }],
      };
      assert.equal(read(disguised).kind, 'image', mediaType);
    }
  });

  it('V-31: is an image when a client would run it, whatever config and layers call themselves', () => {
    const odd = { ...image, layers: [{ ...layer, mediaType: 'application/x-thing' }] };
    for (const mediaType of [
      'application/octet-stream',
      'application/json',
      'text/html',
      'application/vnd.oci.image.config.v1+json; charset=utf-8',
      'application/vnd.docker.container.image.V1+json',
    ]) {
      assert.equal(read({ ...odd, config: { ...config, mediaType } }).kind, 'image', mediaType);
    }
    const docker = {
      ...odd,
      mediaType: MEDIA_TYPES.dockerManifest,
      config: { ...config, mediaType: 'application/x' },
    };
    assert.equal(read(docker, MEDIA_TYPES.dockerManifest).kind, 'image');
  });

  it('is an artifact otherwise, with the type that a referrers answer prints', () => {
    const artifact = {
      ...image,
      config: { ...config, mediaType: MEDIA_TYPES.ociEmpty },
      layers: [{ ...layer, mediaType: 'text/plain' }],
    };
    assert.equal(read(artifact).kind, 'artifact');
    assert.equal(read(artifact).artifactType, MEDIA_TYPES.ociEmpty);
    assert.equal(read({ ...artifact, artifactType: 'application/x' }).artifactType, 'application/x');
  });

  it('names each digest once, and not its subject', () => {
    const manifest = read({ ...image, layers: [layer, layer], subject: child });
    assert.deepEqual(
      namedBy(manifest).map(({ digest }) => digest),
      [digestOf(1), digestOf(2)],
    );
    assert.equal(manifest.subject?.digest, child.digest);
  });

  it('may lack its media type where the Content-Type has it', () => {
    const { mediaType: _, ...without } = image;
    assert.equal(read(without, MEDIA_TYPES.ociManifest).mediaType, MEDIA_TYPES.ociManifest);
    assert.match(problemOf(without), /mediaType is missing/);
  });

  it('may have null where a pointer of Go is empty', () => {
    assert.equal(read({ ...image, subject: null, annotations: null }).subject, undefined);
  });

  it('V-17: hands out what config and layers embed, to be verified', () => {
    const empty = { ...config, mediaType: MEDIA_TYPES.ociEmpty, size: 2, data: 'e30=' };
    const embedded = { ...layer, size: 3, data: 'YWJj' };
    const result = parseManifest(bytesOf({ ...image, config: empty, layers: [layer, embedded] }), undefined);
    assert.deepEqual(
      result.ok && result.embedded.map(({ digest, bytes }) => [digest, Buffer.from(bytes).toString()]),
      [
        [config.digest, '{}'],
        [layer.digest, 'abc'],
      ],
    );
  });

  it('V-17: embeds base64 of the stated size, as every decoder reads it', () => {
    const withData = (data: unknown, size: number) =>
      problemOf({ ...image, layers: [{ ...layer, size, data }] });
    assert.equal(withData('YWJj', 3), 'accepted');
    assert.equal(withData('', 0), 'accepted');
    assert.match(withData('YWJj', 4), /layers\[0\]\.data has 3 bytes, its size says 4/);
    for (const data of ['YWJ', 'YW Jj', 'YW\nJj', 'YW-_', 'YQ=', 'YQ===', 'YQ', null, 1, ['YWJj']]) {
      assert.match(withData(data, 3), /data is not base64/);
    }
  });

  it('V-17: embeds no manifest: what is read without being asked for would not be judged', () => {
    const data = Buffer.from(JSON.stringify(image)).toString('base64');
    const embedding = { ...child, size: JSON.stringify(image).length, data };
    assert.match(problemOf({ ...index, manifests: [embedding] }), /in config and layers only/);
    assert.match(problemOf({ ...image, subject: embedding }), /in config and layers only/);
    assert.equal(problemOf({ ...image, subject: { ...child, size: 2, data: 'e30=' } }), 'accepted');
  });

  it('V-18: keeps addresses of foreign layers as text', () => {
    const urls = ['http://169.254.169.254/', 'file:///etc/passwd'];
    assert.deepEqual(read({ ...image, layers: [{ ...layer, urls }] }).layers[0]?.urls, urls);
    assert.match(problemOf({ ...image, layers: [{ ...layer, urls: 'x' }] }), /urls must be an array/);
    assert.match(problemOf({ ...image, layers: [{ ...layer, urls: [1] }] }), /urls must be an array/);
  });

  it('keeps annotations without a prototype', () => {
    const { annotations } = read(
      '{"schemaVersion":2,"mediaType":"' +
        MEDIA_TYPES.ociIndex +
        '","manifests":[],"annotations":{"__proto__":"x"}}',
    );
    assert.deepEqual(Object.keys(annotations), ['__proto__']);
    assert.match(problemOf({ ...image, annotations: { a: 1 } }), /strings to strings/);
    assert.match(problemOf({ ...image, annotations: [] }), /annotations must be an object/);
  });

  const refused: readonly [string, unknown, string | undefined, RegExp][] = [
    ['V-11: another Content-Type', image, MEDIA_TYPES.dockerManifest, /does not match the Content-Type/],
    ['V-11: application/json as Content-Type', image, 'application/json', /does not match/],
    ['V-11: an index sent as an image', index, MEDIA_TYPES.ociManifest, /does not match/],
    [
      'V-11: a media type in upper case',
      { ...image, mediaType: MEDIA_TYPES.ociManifest.toUpperCase() },
      undefined,
      /unsupported media type/,
    ],
    [
      'V-11: a media type that is no text',
      { ...image, mediaType: 1 },
      undefined,
      /mediaType must be a string/,
    ],
    ['V-11: text/html', { ...image, mediaType: 'text/html' }, 'text/html', /unsupported media type/],
    [
      'V-08: schema 1',
      { ...image, schemaVersion: 1 },
      MEDIA_TYPES.dockerSchema1,
      /schema 1 .* not supported/,
    ],
    ['V-08: signed schema 1', image, MEDIA_TYPES.dockerSchema1Signed, /schema 1 .* not supported/],
    ['another schema version', { ...image, schemaVersion: 1 }, undefined, /schemaVersion must be 2/],
    ['a schema version as text', { ...image, schemaVersion: '2' }, undefined, /schemaVersion must be 2/],
    [
      'CVE-2021-41190: an image with children',
      { ...image, manifests: [child] },
      undefined,
      /must not have manifests/,
    ],
    [
      'CVE-2021-41190: an index with layers',
      { ...index, layers: [layer] },
      undefined,
      /neither config nor layers/,
    ],
    ['CVE-2021-41190: an index with a config', { ...index, config }, undefined, /neither config nor layers/],
    ['no config', { ...image, config: undefined }, undefined, /config must be an object/],
    ['no layers', { ...image, layers: undefined }, undefined, /layers must be an array/],
    ['layers that are no list', { ...image, layers: {} }, undefined, /layers must be an array/],
    [
      'an index without children',
      { ...index, manifests: undefined },
      undefined,
      /manifests must be an array/,
    ],
    ['a layer that is null', { ...image, layers: [null] }, undefined, /layers\[0\] must be an object/],
    [
      'a layer without type',
      { ...image, layers: [{ ...layer, mediaType: '' }] },
      undefined,
      /layers\[0\]\.mediaType is missing/,
    ],
    [
      'N-09: a digest that is a path',
      { ...image, config: { ...config, digest: 'sha256:../../../etc/passwd' } },
      undefined,
      /config\.digest is not/,
    ],
    [
      'N-08: a digest in upper case',
      { ...image, layers: [{ ...layer, digest: DIGEST.toUpperCase() }] },
      undefined,
      /layers\[0\]\.digest is not/,
    ],
    [
      'a digest that is no text',
      { ...image, subject: { ...child, digest: 1 } },
      undefined,
      /subject\.digest is not/,
    ],
    ['a list', [], undefined, /manifest must be an object/],
    ['nothing', '', undefined, /not strict JSON/],
    [
      'V-12: a key twice',
      '{"schemaVersion":2,"schemaVersion":2}',
      undefined,
      /not strict JSON: key "schemaVersion" given twice/,
    ],
  ];
  for (const [title, value, contentType, problem] of refused) {
    it(`is refused for ${title}`, () => assert.match(problemOf(value, contentType), problem));
  }

  for (const size of [-1, 1.5, '10', null, undefined, true]) {
    it(`V-16: is refused for a size of ${String(size)}`, () =>
      assert.match(problemOf({ ...image, layers: [{ ...layer, size }] }), /size must be a whole number/));
  }

  it('V-16: is refused for a size of 2^63', () => {
    const text = JSON.stringify(image).replace('"size":20', '"size":9223372036854775808');
    assert.match(problemOf(text), /a number out of range/);
  });

  it('V-12: is refused when a field is written in another case, which Go reads and we would not', () => {
    const renamed = (value: Json, from: string, to: string) =>
      Object.fromEntries(Object.entries(value).map(([key, member]) => [key === from ? to : key, member]));
    for (const [from, to] of [
      ['layers', 'Layers'],
      ['config', 'CONFIG'],
      ['mediaType', 'mediatype'],
      ['schemaVersion', 'SchemaVersion'],
    ] as const) {
      assert.match(
        problemOf(renamed(image, from, to), MEDIA_TYPES.ociManifest),
        new RegExp(`"${to}" that must be written ${from}`),
      );
    }
    assert.match(problemOf({ ...image, Subject: child }), /"Subject" that must be written subject/);
    assert.match(problemOf({ ...image, Manifests: [child] }), /"Manifests" that must be written manifests/);
    assert.match(problemOf({ ...image, FSLayers: [] }), /must be written fsLayers/);
    assert.match(problemOf({ ...image, 'layer\u017f': [] }), /given twice/);
    assert.match(problemOf({ ...image, layers: [{ ...layer, Digest: DIGEST }] }), /given twice/);
    assert.match(
      problemOf({ ...image, layers: [{ ...layer, URLs: ['http://x'] }] }),
      /layers\[0\] .*must be written urls/,
    );
    assert.match(
      problemOf({ ...index, manifests: [{ ...child, platform: { OS: 'linux' } }] }),
      /must be written os/,
    );
  });

  it('may hold keys that nobody knows', () => assert.ok(read({ ...image, 'org.example': { Layers: 1 } })));

  it('V-07: has at most a thousand layers or children', () => {
    const many = (count: number, one: Json) =>
      Array.from({ length: count }, (_, at) => ({ ...one, digest: digestOf(at) }));
    assert.ok(read({ ...image, layers: many(1000, layer) }));
    assert.match(problemOf({ ...image, layers: many(1001, layer) }), /layers has more than 1000/);
    assert.ok(read({ ...index, manifests: many(1000, child) }));
    assert.match(problemOf({ ...index, manifests: many(1001, child) }), /manifests has more than 1000/);
    const same = { ...index, manifests: Array.from({ length: 1000 }, () => child) };
    assert.equal(namedBy(read(same)).length, 1);
  });

  it('V-14: is read up to 4 MiB', () => {
    const padding = MANIFEST_BYTES_MAX - bytesOf({ ...image, annotations: { pad: '' } }).length;
    const large = bytesOf({ ...image, annotations: { pad: 'x'.repeat(padding) } });
    assert.equal(large.length, 4 * 1024 * 1024);
    assert.ok(parseManifest(large, undefined).ok);
  });

  it('is an index with its children and their platforms', () => {
    const platform = { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.version': '1' };
    const manifest = read({ ...index, artifactType: 'application/x', manifests: [{ ...child, platform }] });
    assert.equal(manifest.kind, 'index');
    assert.equal(manifest.artifactType, 'application/x');
    assert.deepEqual(manifest.manifests[0]?.platform, { os: 'linux', architecture: 'arm64', variant: 'v8' });
    assert.match(
      problemOf({ ...index, manifests: [{ ...child, platform: { os: 1 } }] }),
      /platform\.os must be a string/,
    );
  });

  it('knows the attestations that BuildKit hangs into an index', () => {
    const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
    const [attestation, other] = read({ ...index, manifests: [{ ...child, annotations }, child] }).manifests;
    assert.ok(attestation && other);
    assert.deepEqual([isAttestationChild(attestation), isAttestationChild(other)], [true, false]);
  });

  it('never throws, and never accepts a descriptor without a digest, whatever the bytes', () => {
    const words = fc.constantFrom(
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'digest',
      'size',
      'subject',
      'data',
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(2, 0, -1, null, true, DIGEST, ...Object.values(MEDIA_TYPES), LAYER),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(words, tie('any'), { maxKeys: 6 }),
      ),
    })).any;
    fc.assert(
      fc.property(fc.dictionary(words, value), (members) => {
        const result = parseManifest(
          bytesOf({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, ...members }),
          undefined,
        );
        if (result.ok)
          for (const { digest } of namedBy(result.manifest)) assert.match(digest, /^sha(256|512):/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a media type', () => {
  it('V-11: is read without parameters, space and case', () => {
    assert.equal(mediaTypeOf('Application/JSON; charset=utf-8'), 'application/json');
    assert.equal(mediaTypeOf(' text/plain '), 'text/plain');
    for (const header of [undefined, '', ' ', ';charset=x']) assert.equal(mediaTypeOf(header), undefined);
  });

  it('says whether it is an index or schema 1', () => {
    assert.deepEqual(
      [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerIndex, MEDIA_TYPES.ociManifest].map(isIndexType),
      [true, true, false],
    );
    assert.deepEqual([MEDIA_TYPES.dockerSchema1, MEDIA_TYPES.dockerSchema1Signed, LAYER].map(isSchema1Type), [
      true,
      true,
      false,
    ]);
  });

  it('of a layer is told by how it begins', () => {
    for (const type of [`x${LAYER}`, ` ${LAYER}`, 'application/vnd.oci.image.layers', '']) {
      assert.equal(isImageLayerType(type), false, type);
    }
    for (const type of [`${LAYER}x`, `${LAYER}+encrypted`]) assert.equal(isImageLayerType(type), true, type);
  });
});
