import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalAddress } from '../../src/base/index.ts';
import { parseProxyHeader } from '../../src/traffic/index.ts';
import { proxyV1, proxyV2 } from './proxy-headers.ts';

const text = (value: string) => Buffer.from(value, 'latin1');

describe('the header of a proxy', () => {
  const ports = fc.integer({ min: 0, max: 65_535 });
  const addresses = fc.oneof(fc.ipV4(), fc.ipV6());

  it('names the client, in both versions, whatever follows and however it arrives', () => {
    const versions = fc.constantFrom(proxyV1, proxyV2);
    fc.assert(
      fc.property(addresses, ports, versions, fc.uint8Array(), (address, port, write, rest) => {
        const header = write(address, port);
        const parsed = parseProxyHeader(Buffer.concat([header, rest]));
        const expected = { kind: 'header', bytes: header.length, address: canonicalAddress(address) };
        assert.deepEqual(parsed, expected);
        for (let length = 0; length < header.length; length += 1) {
          assert.equal(parseProxyHeader(header.subarray(0, length)).kind, 'incomplete', `${length} bytes`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('H-26: is never made of garbage, and never waited for beyond its longest', () => {
    const starts = fc.constantFrom(
      '',
      'PROXY ',
      'PROXY TCP4 ',
      '\r\n\r\n\0\r\nQUIT\n',
      '\r\n\r\n\0\r\nQUIT\n\x21\x11',
    );
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 4096, size: 'max' }), (start, bytes) => {
        const all = Buffer.concat([text(start), bytes]);
        const parsed = parseProxyHeader(all);
        if (parsed.kind === 'incomplete') assert.ok(all.length < 16 + 2048);
        if (parsed.kind === 'header') assert.ok(parsed.bytes <= all.length);
      }),
      // A smaller example says no more, and takes long to find.
      { endOnFailure: true },
    );
  });

  it('of a health check, or of what has no address, says nothing of a client', () => {
    const ofNobody = [
      text('PROXY UNKNOWN\r\n'),
      text('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'),
      Buffer.concat([text('\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0')]),
      Buffer.concat([text('\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c'), Buffer.alloc(12)]),
      Buffer.concat([text('\r\n\r\n\0\r\nQUIT\n\x21\x00\0\x02'), Buffer.alloc(2)]),
      Buffer.concat([text('\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8'), Buffer.alloc(216)]),
    ];
    for (const header of ofNobody) {
      assert.deepEqual(parseProxyHeader(header), { kind: 'header', bytes: header.length });
    }
  });

  it('H-26: is refused where the specification does not allow it', () => {
    const bad = [
      '\x16\x03\x01\x02\x00\x01',
      'GET / HTTP/1.1\r\n',
      'proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
      'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n',
      'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n',
      'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n',
      'PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n',
      'PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n',
      'PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n',
      'PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n',
      'PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n',
      'PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n',
      'PROXY TCP6 fe80::1%lo fe80::2%lo 1 2\r\n',
      'PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n',
      `PROXY UNKNOWN ${'x'.repeat(107)}`,
      // Version, command, family, transport, and less or more than the addresses take.
      '\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c'.padEnd(28, 'a'),
      '\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0c'.padEnd(28, 'a'),
      '\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c'.padEnd(28, 'a'),
      '\r\n\r\n\0\r\nQUIT\n\x21\x41\0\x0c'.padEnd(28, 'a'),
      '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x07'.padEnd(28, 'a'),
      '\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x0c'.padEnd(28, 'a'),
      '\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff'.padEnd(28, 'a'),
    ];
    for (const header of bad)
      assert.equal(parseProxyHeader(text(header)).kind, 'malformed', JSON.stringify(header));
  });
});
