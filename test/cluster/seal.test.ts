import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createSeal } from '../../src/cluster/seal.ts';

const KEY = randomBytes(32);

describe('a seal', () => {
  const text = fc.string({ unit: 'binary' });

  it('opens to what was sealed', () => {
    const seal = createSeal(KEY, 'test');
    fc.assert(
      fc.property(text, text, (context, value) => seal.open(context, seal.seal(context, value)) === value),
    );
  });

  it('opens for no other context, purpose, key or text, wherever one is cut from the other', () => {
    const seal = createSeal(KEY, 'test');
    fc.assert(
      fc.property(text, text, fc.nat(), (context, value, at) => {
        const sealed = seal.seal(context, value);
        assert.equal(seal.open(`${context}x`, sealed), undefined);
        assert.equal(createSeal(KEY, 'tes').open(context, sealed), undefined);
        assert.equal(createSeal(randomBytes(32), 'test').open(context, sealed), undefined);
        assert.equal(seal.open(context, `${sealed}x`), undefined);
        assert.equal(seal.open(context, sealed.slice(0, at % sealed.length)), undefined);
        // A part of the text moved into the context.
        if (value.length > 0) {
          const moved = sealed.slice(0, 43) + value.slice(1);
          assert.equal(seal.open(context + value.slice(0, 1), moved), undefined);
        }
      }),
    );
  });
});
