import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createFrameReader, encodeFrame, FRAME_BYTES_MAX } from '../../src/cluster/frames.ts';

function readAll(chunks: readonly Buffer[]): unknown[] {
  const frames: unknown[] = [];
  const read = createFrameReader((value) => frames.push(value));
  for (const chunk of chunks) read(chunk);
  return frames;
}

describe('frames', () => {
  it('arrive whole and in order however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ text: fc.string({ unit: 'binary' }) }, { noNullPrototype: true }), {
          maxLength: 6,
        }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (values, cuts) => {
          const bytes = Buffer.concat(values.map(encodeFrame));
          const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
            (a, b) => a - b,
          );
          const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index] ?? 0, end));
          assert.deepEqual(readAll(chunks), JSON.parse(JSON.stringify(values)));
        },
      ),
    );
  });

  it('of several megabytes arrive in small chunks', () => {
    const frame = encodeFrame({ text: 'x'.repeat(5_000_000) });
    const chunks: Buffer[] = [];
    for (let at = 0; at < frame.length; at += 65_536) chunks.push(frame.subarray(at, at + 65_536));
    assert.equal(readAll(chunks).length, 1);
  });

  it('over the bound are neither sent nor read', () => {
    assert.throws(() => encodeFrame({ text: 'x'.repeat(FRAME_BYTES_MAX) }), { code: 'DG_FRAME_TOO_LARGE' });
    const head = Buffer.alloc(4);
    head.writeUInt32BE(FRAME_BYTES_MAX + 1);
    assert.throws(() => readAll([head]), RangeError);
  });

  it('that are no JSON are refused', () => {
    assert.throws(() => readAll([Buffer.from('\0\0\0\x03abc', 'latin1')]), SyntaxError);
  });
});
