import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { MiB } from '../../../src/base/index.ts';
import { Fault } from '../../../src/oci/index.ts';
import type { Inspector, InspectorOptions } from '../../../src/scanners/index.ts';
import type { ScanReport } from '../../../src/verdicts/index.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';
import { buildArtifact, buildImage, buildTar, type LayerSource } from '../../support/image.ts';
import { createRandom, idsOf, openInspector, scan, secretsOf, targetOf, toLine } from './scanning.ts';

const random = createRandom('hostile');

const signal = new AbortController().signal;

/** The ustar header of a file of this size, without the file. */
function headerOf(size: number, name = 'zeros'): Buffer {
  return forge(Buffer.alloc(512), (header) => {
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write(size.toString(8).padStart(11, '0'), 124);
    header.write('0', 156);
    header.write('ustar\x0000', 257, 'latin1');
  });
}

function repeat(part: Uint8Array, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => part));
}

/** Changes a header and puts its checksum right. */
function forge(header: Buffer, change: (header: Buffer) => void): Buffer {
  const forged = Buffer.from(header);
  change(forged);
  forged.fill(' ', 148, 156);
  const sum = forged.reduce((total, byte) => total + byte, 0);
  forged.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return forged;
}

describe('a hostile layer', () => {
  let inspector: Inspector;
  before(() => {
    inspector = openInspector();
  });
  after(() => inspector.close());

  const scanLayer = async (bytes: Uint8Array, own = inspector): Promise<ScanReport> =>
    scan(own, await buildImage({ layers: [{ bytes }] }));
  const scanWith = async (
    limits: NonNullable<InspectorOptions['limits']>,
    layers: readonly LayerSource[],
  ): Promise<ScanReport> => {
    const own = openInspector({ limits });
    try {
      return await scan(own, await buildImage({ layers }));
    } finally {
      await own.close();
    }
  };
  const assertUnscannable = (report: ScanReport, reason: RegExp): void => {
    assert.equal(report.scan.status, 'unscannable', report.findings.map(toLine).join(', '));
    assert.match(report.scan.reason ?? '', reason);
  };

  it('V-31: is unscannable when it hides a compression that clients undo behind an odd media type', async () => {
    for (const magic of [Buffer.from('BZh91AY&SY'), Buffer.from('fd377a585a000004', 'hex')]) {
      const bytes = Buffer.concat([magic, Buffer.alloc(1000, 7)]);
      const odd = { bytes, mediaType: 'application/vnd.example.thing' };
      const report = await scan(inspector, await buildImage({ layers: [odd] }));
      assertUnscannable(report, /bzip2 or xz/);
      const artifact = buildArtifact({ artifactType: 'application/x', blobs: [odd] });
      assert.equal((await scan(inspector, artifact)).scan.status, 'done', 'nobody runs an artifact');
    }
  });

  it('of 10 MiB that expands to 10 GiB is given up early (V-42)', async () => {
    const before = process.memoryUsage().rss;
    const zeros = new Uint8Array(64 * MiB);
    for (const compress of [gzipSync, zstdCompressSync]) {
      const bomb = Buffer.concat([compress(headerOf(8 * 1024 * MiB - 1)), repeat(compress(zeros), 160)]);
      const spentMs = await cpuMsOf(async () =>
        assertUnscannable(await scanLayer(bomb), /expands to more than 200 times its size/),
      );
      assert.ok(spentMs < 30_000, `${spentMs} ms`);
    }
    assert.ok(process.memoryUsage().rss - before < 300 * MiB);
  });

  it('with too many files is given up (V-42)', async () => {
    const many = gzipSync(repeat(headerOf(0, 'a'), 10_000));
    assertUnscannable(await scanWith({ entriesMax: 9_999 }, [{ bytes: many }]), /more than 9999 files/);
    assert.equal((await scanWith({ entriesMax: 10_000 }, [{ bytes: many }])).scan.status, 'done');
  });

  it('with a name of 1 MiB is given up (V-42)', async () => {
    const tar = await buildTar([{ path: `a/${'b'.repeat(MiB)}`, data: 'x' }]);
    assertUnscannable(await scanLayer(gzipSync(tar)), /a file name longer than 4096 bytes/);
  });

  it('with headers of many megabytes is given up', async () => {
    const header = forge(headerOf(64 * MiB), (bytes) => bytes.write('x', 156));
    const tar = Buffer.concat([header, Buffer.alloc(64 * MiB, 'a')]);
    assertUnscannable(await scanLayer(tar), /no whole tar archive \(Header exceeds max size\)/);
  });

  it('wrapped in too many compressions is given up, gzip and zstd alike', async () => {
    const tar = await buildTar([{ path: 'app/t', data: `ghp_${random(36)}` }]);
    const twice = zstdCompressSync(gzipSync(tar));
    assert.deepEqual(secretsOf(await scanLayer(twice)), ['github-token /app/t']);
    const thrice = zstdCompressSync(zstdCompressSync(zstdCompressSync(tar)));
    assertUnscannable(await scanLayer(thrice), /more than 2 compressions/);
    assertUnscannable(await scanLayer(gzipSync(twice)), /more than 2 compressions/);
  });

  it('larger than the limits is given up, stored or expanded', async () => {
    const layer = [{ path: 'a', data: 'x'.repeat(100_000) }];
    assertUnscannable(await scanWith({ plainBytesMax: 50_000 }, [layer]), /expands to more than 50000 bytes/);
    assertUnscannable(await scanWith({ compressedBytesMax: 100 }, [layer]), /larger than 100 bytes/);
  });

  it('that is no archive, or a broken, cut or trailed one, is unscannable', async () => {
    const tar = Buffer.from(await buildTar([{ path: 'a', data: random(100_000) }]));
    const gzip = gzipSync(tar);
    const zstd = zstdCompressSync(tar);
    const flipped = Buffer.from(gzip);
    flipped[gzip.length >> 1] = (flipped[gzip.length >> 1] ?? 0) ^ 0xff;
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [Buffer.from('hello'), /no whole tar archive/],
      [gzipSync('hello'), /no whole tar archive/],
      [tar.subarray(0, 50_000), /no whole tar archive \(Unexpected end of data\)/],
      [gzip.subarray(0, -1000), /the gzip stream is broken/],
      [gzip.subarray(0, 5), /the gzip stream is broken/],
      [flipped, /the gzip stream is broken|no whole tar archive/],
      [zstd.subarray(0, -10), /the zstd stream is broken/],
      [Buffer.concat([gzip, Buffer.from('more')]), /the gzip stream is broken|other bytes follow/],
      [Buffer.concat([gzip, Buffer.alloc(9), Buffer.from('more')]), /other bytes follow/],
      [Buffer.concat([zstd, Buffer.from('more')]), /the zstd stream is broken|other bytes follow/],
      [Buffer.concat([tar, Buffer.from('more'.repeat(200))]), /no whole tar archive/],
    ];
    for (const [bytes, reason] of cases) assertUnscannable(await scanLayer(bytes), reason);
  });

  it('that readers would read differently is unscannable: a link with content, a sparse file', async () => {
    const link = forge(headerOf(1024, 'l'), (bytes) => bytes.write('2', 156));
    const hidden = Buffer.concat([link, Buffer.alloc(1024), Buffer.alloc(1024)]);
    assertUnscannable(await scanLayer(hidden), /an entry of type symlink with content/);
    const sparse = forge(headerOf(512, 's'), (bytes) => bytes.write('S', 156));
    assertUnscannable(await scanLayer(Buffer.concat([sparse, Buffer.alloc(1536)])), /not in POSIX/);
  });

  it('reads what ordinary tools write: several gzip members, skippable zstd frames, files after the end', async () => {
    const file = async (name: string): Promise<Buffer> =>
      Buffer.from(await buildTar([{ path: name, data: `ghp_${random(36)}` }]));
    const first = (await file('a')).subarray(0, 1024);
    const second = await file('b');
    const both = ['github-token /a', 'github-token /b'];
    const skippable = Buffer.from('502a4d180400000061626364', 'hex');
    for (const bytes of [
      Buffer.concat([gzipSync(first), gzipSync(second)]),
      Buffer.concat([skippable, zstdCompressSync(first), skippable, zstdCompressSync(second), skippable]),
      Buffer.concat([await file('a'), second]),
    ]) {
      assert.deepEqual(secretsOf(await scanLayer(bytes)).toSorted(), both);
    }
    assert.equal((await scanLayer(Buffer.alloc(1024))).scan.status, 'done');
    assert.equal((await scanLayer(gzipSync(Buffer.alloc(1024)))).scan.status, 'done');
  });

  it('that is encrypted or missing is unscannable', async () => {
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted';
    const encrypted = await buildImage({ layers: [{ bytes: Buffer.from('x'), mediaType }] });
    assertUnscannable(await scan(inspector, encrypted), /^layer sha256:[0-9a-f]{12}: it is encrypted$/);
    const image = await buildImage();
    const openBlob = async (): Promise<never> => {
      throw new Fault('DG_TEST', 'BLOB_UNKNOWN', 'gone');
    };
    assertUnscannable(await inspector.scan({ ...targetOf(image), openBlob }, signal), /not in the registry/);
  });

  it('is judged by its bytes, not by its media type', async () => {
    const bytes = gzipSync(await buildTar([{ path: 'app/t', data: `ghp_${random(36)}` }]));
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';
    const image = await buildImage({ layers: [{ bytes, mediaType }] });
    assert.deepEqual(secretsOf(await scan(inspector, image)), ['github-token /app/t']);
  });

  it('with file names for terminals gets them printed without control characters', async () => {
    const report = await scan(
      inspector,
      await buildImage({ layers: [[{ path: 'a\u001b[2J\u202ex\n', data: `ghp_${random(36)}` }]] }),
    );
    assert.deepEqual(secretsOf(report), ['github-token /a?[2J?x?']);
  });

  it('with thousands of secrets leads to a report of the worst, with a marker, the same each time', async () => {
    const files = Array.from({ length: 2500 }, (_, at) => ({
      path: `app/${at}`,
      data: at % 2 === 0 ? `AIza${random(35)}` : `ghp_${random(36)}`,
    }));
    const image = await buildImage({ layers: [files], compression: 'none' });
    const report = await scan(inspector, image);
    assert.equal(report.findings.length, 1001);
    assert.equal(report.findings.filter(({ severity }) => severity === 'critical').length, 1000);
    assert.equal(report.findings.at(-1)?.id, 'findings-truncated');
    assert.match(report.findings.at(-1)?.title ?? '', /^150[0-9] more findings/);
    assert.deepEqual((await scan(inspector, image)).findings, report.findings);
  });

  it('leads to the same report whatever the number of threads', async () => {
    const layers = Array.from({ length: 6 }, (_, at) => [
      { path: `app/${at}`, data: `ghp_${random(36)}`, mode: 0o4755 },
      { path: 'etc/passwd', data: `user${at}:x:0:0\n` },
    ]);
    const image = await buildImage({ layers, config: { user: 'user5' } });
    const several = openInspector({ threadCount: 3 });
    const [one, three] = [await scan(inspector, image), await scan(several, image)];
    await several.close();
    assert.deepEqual(three, one);
    assert.ok(idsOf(one).includes('cis-4.1'));
  });

  it('of half a gigabyte needs little memory, in one file or in many', async () => {
    const noise = random(1024 * 1024);
    for (const fileBytes of [8 * MiB, 16 * 1024]) {
      const size = 512 * MiB;
      const part = Buffer.concat([
        headerOf(fileBytes, 'noise'),
        repeat(Buffer.from(noise), 8).subarray(0, fileBytes),
      ]);
      const parts = function* (): Generator<Buffer> {
        for (let sent = 0; sent < size; sent += part.length) yield part;
      };
      const image = await buildImage();
      const target = targetOf(image);
      const before = process.memoryUsage().rss;
      let peak = before;
      const timer = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 20);
      const report = await inspector.scan(
        {
          ...target,
          openBlob: async (blob) =>
            blob.digest === image.config.digest
              ? target.openBlob(blob)
              : Readable.from(parts(), { objectMode: false }),
        },
        signal,
      );
      clearInterval(timer);
      assert.equal(report.scan.status, 'done', report.scan.reason ?? '');
      assert.ok(peak - before < 300 * MiB, `${Math.round((peak - before) / MiB)} MiB`);
    }
  });

  it('leaves no file behind', async () => {
    const before = await readdir(tmpdir());
    await scan(
      inspector,
      await buildImage({ layers: [[{ path: '../../../tmp/dockgate-escape', data: 'x' }]] }),
    );
    const after = await readdir(tmpdir());
    assert.deepEqual(
      after.filter((name) => !before.includes(name) && name.startsWith('dockgate-escape')),
      [],
    );
  });
});

describe('an inspection', () => {
  it('that the content does not reach is a fault, so that it is tried again', async () => {
    const inspector = openInspector({ limits: { blobMsMax: 3000 } });
    const image = await buildImage();
    const failing = (open: () => Promise<NodeJS.ReadableStream>): Promise<ScanReport> =>
      inspector.scan({ ...targetOf(image), openBlob: open }, signal);
    const unreachable = { name: 'Fault', code: 'DG_SCAN_CONTENT_UNAVAILABLE', status: 503 };
    await assert.rejects(
      failing(async () => {
        throw new Error('connection refused');
      }),
      unreachable,
    );
    const breaks = async (): Promise<Readable> =>
      Readable.from(
        (function* () {
          yield Buffer.from([0x1f, 0x8b]);
          throw new Error('digest mismatch');
        })(),
      );
    await assert.rejects(failing(breaks), unreachable);
    const silent = new PassThrough();
    await assert.rejects(
      failing(async () => silent),
      unreachable,
    );
    assert.ok(silent.destroyed, 'a source that went silent is not held open');
    assert.equal((await scan(inspector, image)).scan.status, 'done');
    await inspector.close();
  });

  it('of content that takes too long is given up as unscannable', async () => {
    const inspector = openInspector({ limits: { blobMsMax: 3000, expansionMax: 1e9 } });
    const header = headerOf(8 * 1024 * MiB - 1);
    const endless = function* (): Generator<Buffer> {
      yield header;
      for (;;) yield Buffer.alloc(64 * 1024, 'https://a:');
    };
    const image = await buildImage();
    const report = await inspector.scan(
      { ...targetOf(image), openBlob: async () => Readable.from(endless(), { objectMode: false }) },
      signal,
    );
    assert.equal(report.scan.status, 'unscannable');
    assert.match(report.scan.reason ?? '', /took longer than 3000 ms/);
    assert.equal((await scan(inspector, image)).scan.status, 'done');
    await inspector.close();
  });

  it('ends when it is given up, also before it began, and when the inspector closes', async () => {
    const inspector = openInspector();
    const image = await buildImage();
    const silent = { ...targetOf(image), openBlob: async () => new PassThrough() };
    const stopped = { code: 'DG_SCAN_STOPPED' };
    const controller = new AbortController();
    const scanning = inspector.scan(silent, controller.signal);
    controller.abort();
    await assert.rejects(scanning, stopped);
    await assert.rejects(inspector.scan(silent, AbortSignal.abort()), stopped);
    const last = inspector.scan(silent, signal);
    await Promise.all([assert.rejects(last, { name: 'Fault' }), inspector.close()]);
    await assert.rejects(inspector.scan(silent, signal), { code: 'DG_SCANNER_CLOSED' });
  });

  it('of a manifest that is none is unscannable', async () => {
    const inspector = openInspector();
    const target = { ...targetOf(await buildImage()), manifest: Buffer.from('{}') };
    const report = await inspector.scan(target, signal);
    assert.deepEqual([report.scan.status, report.scan.reason], ['unscannable', 'schemaVersion must be 2']);
    await inspector.close();
  });
});
