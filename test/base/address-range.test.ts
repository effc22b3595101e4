import assert from 'node:assert/strict';
import { canonicalAddress, createAddressRanges, parseAddressRange } from '../../src/base/index.ts';

describe('ranges of addresses', () => {
  const rangesOf = (...texts: readonly string[]) =>
    createAddressRanges(texts.flatMap((text) => parseAddressRange(text) ?? []));

  it('hold what their first bits say, of both kinds, and nothing that is no address', () => {
    const has = rangesOf('10.1.0.0/16', '192.0.2.7', 'fd00::/8', '2001:db8::7');
    const inside = ['10.1.0.0', '10.1.255.255', '192.0.2.7', 'fd12::1', '2001:db8:0::7'];
    assert.deepEqual(inside.filter(has), inside);
    const outside = ['10.2.0.0', '192.0.2.8', 'fe00::', '2001:db8::8', '', 'x', '10.1.0.0, 10.1.0.0'];
    assert.deepEqual(outside.filter(has), []);
    assert.equal(rangesOf()('127.0.0.1'), false);
  });

  it('are refused where they are none', () => {
    const bad = [
      '',
      '10.0.0.0/33',
      '::/129',
      '10.0.0/8',
      '10.0.0.0/',
      'host',
      '10.0.0.0/8/8',
      'fe80::1%lo',
      '/8',
    ];
    assert.deepEqual(
      bad.filter((text) => parseAddressRange(text)),
      [],
    );
  });

  it('know one address by one name', () => {
    const same = ['2001:db8::7', '2001:DB8:0:0:0:0:0:7', '2001:0db8::0007'].map(canonicalAddress);
    assert.deepEqual(same, ['2001:db8::7', '2001:db8::7', '2001:db8::7']);
    assert.equal(canonicalAddress('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(canonicalAddress('::FFFF:c000:207'), '192.0.2.7');
    assert.equal(canonicalAddress('fe80::1%eth0'), undefined);
    assert.equal(canonicalAddress('192.0.2.07'), undefined);
  });
});
