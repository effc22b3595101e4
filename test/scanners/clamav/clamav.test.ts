import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { createManualClock, SECOND_MS, silentLogger } from '../../../src/base/index.ts';
import { Fault } from '../../../src/oci/index.ts';
import { type ClamavOptions, createClamav } from '../../../src/scanners/index.ts';
import type { ScanReport } from '../../../src/verdicts/index.ts';
import { type Clamd, EICAR, OWN_MALWARE, startClamd } from '../../support/clamd.ts';
import { type BuiltImage, buildArtifact, buildImage, buildTar } from '../../support/image.ts';
import { NOW_MS, targetOf } from '../inspector/scanning.ts';

const SILENCE_MS_MAX = 60 * SECOND_MS;

function scanWith(options: Omit<ClamavOptions, 'silenceMsMax'>, image: BuiltImage): Promise<ScanReport> {
  const parts = { clock: createManualClock(NOW_MS), logger: silentLogger };
  const clamav = createClamav({ silenceMsMax: SILENCE_MS_MAX, ...options }, parts);
  return clamav.scan(targetOf(image), new AbortController().signal);
}

const found = (report: ScanReport) => report.findings.map(({ id, location }) => `${id} ${location}`);

describe('ClamAV', function () {
  this.timeout(120_000);
  let clamd: Clamd;
  before(async () => {
    clamd = await startClamd(['AlertExceedsMax yes', 'StreamMaxLength 4M', 'MaxFileSize 2M']);
  });
  after(() => clamd.stop());
  const scan = (image: BuiltImage) => scanWith({ address: clamd.address }, image);

  it('finds malware in a file that a later layer deletes, and says in which blob, V-40', async () => {
    const image = await buildImage({
      layers: [
        [
          { path: 'bin/true', data: 'fine' },
          { path: 'tmp/gone', data: EICAR },
        ],
        [{ path: 'tmp/.wh.gone' }],
      ],
    });
    const report = await scan(image);
    assert.equal(report.scan.status, 'done');
    assert.deepEqual(found(report), ['Dockgate.Test.EICAR.UNOFFICIAL /tmp/gone']);
    const [finding] = report.findings;
    assert.equal(finding?.kind, 'malware');
    assert.equal(finding?.severity, 'critical');
    assert.equal(finding?.blob, image.layers[0]?.digest);
    assert.match(report.scan.version, /^ClamAV \d/);
  });

  it('finds it in an archive in an archive', async () => {
    const inner = gzipSync(await buildTar([{ path: 'deep/own', data: `x${OWN_MALWARE}x` }]));
    const outer = await buildTar([{ path: 'inner.tar.gz', data: inner }]);
    const report = await scan(await buildImage({ layers: [[{ path: 'srv/outer.tar', data: outer }]] }));
    assert.deepEqual(found(report), ['Dockgate.Test.Own.UNOFFICIAL /srv/outer.tar']);
  });

  it('finds it in each file, in order, in layers of either compression or none', async () => {
    for (const compression of ['gzip', 'zstd', 'none'] as const) {
      const files = ['a', 'b', 'c'].map((path) => ({ path, data: path === 'b' ? 'fine' : EICAR }));
      const report = await scan(await buildImage({ compression, layers: [files] }));
      const name = 'Dockgate.Test.EICAR.UNOFFICIAL';
      assert.deepEqual(found(report), [`${name} /a`, `${name} /c`], compression);
    }
  });

  it('finds it in the config, and in an artifact that is no archive', async () => {
    const image = await buildImage({ config: { labels: { x: OWN_MALWARE } } });
    assert.deepEqual(found(await scan(image)), [`Dockgate.Test.Own.UNOFFICIAL ${image.config.digest}`]);
    const blobs = [{ bytes: Buffer.from(EICAR), mediaType: 'application/octet-stream' }];
    const artifact = buildArtifact({ artifactType: 'application/vnd.test', blobs });
    assert.equal(found(await scan(artifact)).length, 1);
  });

  it('says of a clean image that it was scanned and nothing was found', async () => {
    const report = await scan(await buildImage());
    assert.deepEqual([report.scan.status, report.findings], ['done', []]);
  });

  it('is not done with a file beyond what clamd looks at, and still tells what it found elsewhere', async () => {
    for (const bytes of [3 * 2 ** 20, 9 * 2 ** 20]) {
      const large = Buffer.alloc(bytes, 'not a virus ');
      const files = [
        { path: 'a/large', data: large },
        { path: 'b/bad', data: EICAR },
      ];
      const report = await scan(await buildImage({ layers: [files] }));
      assert.equal(report.scan.status, 'unscannable', `${bytes} bytes`);
      assert.match(report.scan.reason ?? '', /\/a\/large is beyond a limit of clamd/);
      assert.deepEqual(found(report), ['Dockgate.Test.EICAR.UNOFFICIAL /b/bad']);
    }
  });

  it('cannot scan a broken layer, and goes on with the next one', async () => {
    const whole = Buffer.from(await buildTar([{ path: 'etc/large', data: Buffer.alloc(100_000) }]));
    const cut = { bytes: whole.subarray(0, 50_000), mediaType: 'application/vnd.oci.image.layer.v1.tar' };
    const report = await scan(await buildImage({ layers: [cut, [{ path: 'bad', data: EICAR }]] }));
    assert.equal(report.scan.status, 'unscannable');
    assert.equal(found(report).length, 1);
  });

  it('cannot scan what is encrypted, or not in the registry', async () => {
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted';
    const encrypted = await buildImage({ layers: [{ bytes: Buffer.from('x'), mediaType }] });
    assert.match((await scan(encrypted)).scan.reason ?? '', /encrypted/);
    const image = await buildImage();
    const report = await scan({ ...image, layers: [] });
    assert.match(report.scan.reason ?? '', /not in the registry/);
  });
});

describe('ClamAV that cannot be trusted', function () {
  this.timeout(120_000);

  it('is not asked when it calls clean what it has not looked at', async () => {
    const clamd = await startClamd([]);
    try {
      await assert.rejects(scanWith({ address: clamd.address }, await buildImage()), /AlertExceedsMax yes/);
    } finally {
      await clamd.stop();
    }
  });

  it('is a fault when it is away: an image without its scan is not clean', async () => {
    const image = await buildImage();
    await assert.rejects(scanWith({ address: { path: '/nonexistent/clamd' } }, image), Fault);
  });

  it('is a fault, and no word on the image, when the registry breaks off in the middle of a layer', async () => {
    const clamd = await startClamd();
    try {
      const target = targetOf(
        await buildImage({ layers: [[{ path: 'large', data: Buffer.alloc(100_000) }]] }),
      );
      const away = new Fault('DG_TEST_AWAY', 'UNAVAILABLE', 'the registry is away');
      const openBlob: typeof target.openBlob = async (blob) => {
        const opened = await target.openBlob(blob);
        return Readable.from(breakOff(opened, away), { objectMode: false });
      };
      const parts = { clock: createManualClock(NOW_MS), logger: silentLogger };
      const clamav = createClamav({ silenceMsMax: SILENCE_MS_MAX, address: clamd.address }, parts);
      await assert.rejects(clamav.scan({ ...target, openBlob }, new AbortController().signal), away);
    } finally {
      await clamd.stop();
    }
  });

  const REPLIES = {
    'hangs up': (socket: Socket) => socket.destroy(),
    'talks of something else': (socket: Socket) => socket.write('hello\0hello\0'),
    'never ends its reply': (socket: Socket) => socket.write('x'.repeat(10_000)),
    'says that it failed': (socket: Socket) => socket.write("1: stream: Can't open file ERROR\0"),
  };
  for (const [what, reply] of Object.entries(REPLIES)) {
    it(`is a fault when it ${what}`, async () => {
      const server = await listen((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => reply(socket));
      });
      try {
        const { port } = addressOf(server);
        await assert.rejects(scanWith({ address: { host: '127.0.0.1', port } }, await buildImage()), Fault);
      } finally {
        server.close();
      }
    });
  }

  it('is a fault when it dies in the middle, and no word on the image', async () => {
    const server = await listen((socket) => {
      socket.on('error', () => undefined);
      socket.setEncoding('latin1');
      let count = 0;
      socket.on('data', (text: string) => {
        if (text.includes('zVERSION')) socket.write('2: ClamAV 1.4\0');
        if (!text.includes('zINSTREAM')) return;
        count += 1;
        if (count > 1) socket.destroy();
        else socket.write('1: stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND\0');
      });
    });
    try {
      const { port } = addressOf(server);
      await assert.rejects(scanWith({ address: { host: '127.0.0.1', port } }, await buildImage()), {
        code: 'DG_CLAMD_UNAVAILABLE',
      });
    } finally {
      server.close();
    }
  });

  it('is a fault when it says nothing', async () => {
    const server = await listen((socket) => socket.on('error', () => undefined).resume());
    try {
      const { port } = addressOf(server);
      const options = { address: { host: '127.0.0.1', port }, silenceMsMax: 50 };
      await assert.rejects(scanWith(options, await buildImage()), /silent for too long/);
    } finally {
      server.close();
    }
  });
});

async function* breakOff(stream: NodeJS.ReadableStream, error: Error) {
  for await (const chunk of stream) {
    yield Buffer.from(chunk).subarray(0, 100);
    throw error;
  }
}

function listen(onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer(onSocket);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function addressOf(server: Server): { readonly port: number } {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('it does not listen');
  return address;
}
