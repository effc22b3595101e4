import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createAddressRanges, parseAddressRange } from '../../src/base/index.ts';
import { clientBehind } from '../../src/traffic/forwarded.ts';

describe('the client behind proxies', () => {
  const isTrusted = createAddressRanges(
    ['10.0.0.0/8', 'fd00::/8'].flatMap((text) => parseAddressRange(text) ?? []),
  );
  const behind = (peer: string, header?: string) => clientBehind(peer, header, isTrusted);

  it('H-26: is the peer itself, whatever it says, unless the peer is trusted', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.string(), (address, header) => {
        fc.pre(!isTrusted(address));
        assert.equal(behind(address, header), address);
      }),
    );
  });

  it('H-26: is the rightmost that is no proxy: what a client writes on the left moves nothing', () => {
    assert.equal(behind('10.0.0.1', '192.0.2.7'), '192.0.2.7');
    assert.equal(behind('10.0.0.1', '198.51.100.1, 192.0.2.7'), '192.0.2.7');
    assert.equal(behind('10.0.0.1', '198.51.100.1, 192.0.2.7, 10.0.0.2, fd00::3'), '192.0.2.7');
    assert.equal(behind('10.0.0.1', '10.9.9.9, 192.0.2.7,10.0.0.2'), '192.0.2.7');
    fc.assert(
      fc.property(fc.string(), (lie) => {
        assert.equal(behind('10.0.0.1', `${lie},192.0.2.7, 10.0.0.2`), '192.0.2.7');
      }),
    );
  });

  it('may be written with its port, and as IPv6 in any notation', () => {
    assert.equal(behind('10.0.0.1', '192.0.2.7:51234'), '192.0.2.7');
    assert.equal(behind('10.0.0.1', '[2001:DB8:0::7]:51234'), '2001:db8::7');
    assert.equal(behind('10.0.0.1', '[2001:db8::7]'), '2001:db8::7');
    assert.equal(behind('10.0.0.1', '::ffff:192.0.2.7'), '192.0.2.7');
  });

  it('H-26: is the last proxy that is known where that names nobody, or only proxies', () => {
    assert.equal(behind('10.0.0.1'), '10.0.0.1');
    assert.equal(behind('10.0.0.1', ''), '10.0.0.1');
    for (const garbage of ['unknown', '_hidden', '192.0.2.7;', '1.2.3', 'fe80::1%lo', '[::1', ',']) {
      assert.equal(behind('10.0.0.1', `192.0.2.7, ${garbage}`), '10.0.0.1', garbage);
      assert.equal(behind('10.0.0.1', `192.0.2.7, ${garbage}, 10.0.0.2`), '10.0.0.2', garbage);
    }
    assert.equal(behind('10.0.0.1', '10.0.0.3, 10.0.0.2'), '10.0.0.3');
  });
});
