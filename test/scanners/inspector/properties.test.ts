import assert from 'node:assert/strict';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { createJobRunner } from '../../../src/scanners/inspector/job-runner.ts';
import type { BlobJob, BlobResult } from '../../../src/scanners/inspector/protocol.ts';
import { DEFAULT_LIMITS } from '../../../src/scanners/layers/limits.ts';
import { buildTar } from '../../support/image.ts';
import { createRandom, newPrivateKey } from './scanning.ts';

const random = createRandom('properties');

const run = createJobRunner();

function inspect(role: BlobJob['role'], bytes: Uint8Array, chunkBytes = 1000): Promise<BlobResult> {
  const job = { role, name: 'x', limits: DEFAULT_LIMITS, nowMs: 0, superusers: [], isRunnable: true };
  const chunks = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunkBytes)
      yield Buffer.from(bytes.subarray(at, at + chunkBytes));
  };
  return run(job, chunks());
}

describe('the inspection of any bytes', () => {
  const tarOf = (name: string, data: string): Promise<Uint8Array> =>
    buildTar([
      { path: name, data },
      { path: `${name}2`, type: 'symlink', linkname: '/' },
    ]);

  it('ends with a result: random bytes, with and without a known beginning', async () => {
    const magics = ['', '1f8b08', '28b52ffd', '502a4d18', '7b'].map((hex) => Buffer.from(hex, 'hex'));
    const roles = ['layer', 'file', 'config'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...magics),
        fc.uint8Array({ maxLength: 3000 }),
        fc.constantFrom(...roles),
        async (magic, rest, role) => {
          const result = await inspect(role, Buffer.concat([magic, rest]));
          assert.ok(Array.isArray(result.findings));
        },
      ),
    );
  });

  it('ends with a result: archives of which a byte is changed or the end is cut', async () => {
    const tar = Buffer.from(await tarOf('app/key', newPrivateKey()));
    const forms = [tar, gzipSync(tar), zstdCompressSync(tar)];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...forms),
        fc.nat(),
        fc.nat(255),
        fc.boolean(),
        async (form, at, byte, cuts) => {
          const bytes = Buffer.from(form);
          const place = at % bytes.length;
          if (cuts) {
            // What is cut off is never taken for the end, except between the two blocks that end an archive.
            const result = await inspect('layer', bytes.subarray(0, place));
            assert.ok(result.unscannable !== undefined || place % 512 === 0);
          } else {
            bytes[place] = byte;
            await inspect('layer', bytes);
          }
        },
      ),
    );
  });

  it('is the same however the bytes are cut into chunks', async () => {
    const token = `ghp_${random(36)}`;
    const tar = await tarOf('app/t', `${'x'.repeat(5000)} ${token}`);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9000 }), fc.boolean(), async (chunkBytes, compresses) => {
        const result = await inspect('layer', compresses ? gzipSync(tar) : tar, chunkBytes);
        assert.deepEqual(
          result.findings.map(({ id, location }) => `${id} ${location}`),
          ['github-token /app/t'],
        );
      }),
      { numRuns: 30 },
    );
  });

  it('never gives a location outside the layer, whatever an entry is called', async () => {
    const segment = fc.oneof(
      fc.constantFrom('..', '.', '', 'a'),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 1, maxLength: 6 }), async (segments) => {
        const name = segments.join('/').replaceAll('\0', '') || 'x';
        const result = await inspect('layer', await buildTar([{ path: name, data: `ghp_${random(36)}` }]));
        for (const { location } of result.findings) {
          assert.ok(location?.startsWith('/') && !location.split('/').includes('..'), String(location));
        }
      }),
    );
  });

  it('of a config ends with a result, whatever JSON it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (text) => {
        await inspect('config', Buffer.from(text));
        await inspect('config', Buffer.from(`{"config":${text},"history":[${text}]}`));
      }),
    );
  });
});
