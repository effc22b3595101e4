import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeAt, createSeal } from '../../src/auth/index.ts';
import { newRecoveryCodes, parseRecoveryCode, stepOf } from '../../src/auth/one-time-codes.ts';
import { systemRandom } from '../../src/base/index.ts';

/** Of RFC 6238, appendix B: the ASCII text 12345678901234567890 in base32. */
const SEED = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const NOW_MS = 1_111_111_111_000;
const STEP = Math.floor(NOW_MS / 30_000);

const stepFor = (code: string, lastStep = 0, nowMs = NOW_MS) => stepOf(code, { seed: SEED, lastStep }, nowMs);

describe('a one-time code', () => {
  it('is that of RFC 6238, appendix B', () => {
    assert.equal(stepFor('287082', 0, 59_000), 1);
    assert.equal(stepFor('050471'), STEP);
    assert.equal(stepFor('005924', 0, 1_234_567_890_000), 41_152_263);
  });

  it('C-05: counts one step early or late, and no more', () => {
    for (const [drift, is] of [
      [-2, undefined],
      [-1, STEP - 1],
      [0, STEP],
      [1, STEP + 1],
      [2, undefined],
    ] as const) {
      assert.equal(stepFor(codeAt(SEED, STEP + drift)), is, `drift ${drift}`);
    }
  });

  it('C-05: is spent with its step and those before', () => {
    assert.equal(stepFor(codeAt(SEED, STEP), STEP), undefined);
    assert.equal(stepFor(codeAt(SEED, STEP - 1), STEP), undefined);
    assert.equal(stepFor(codeAt(SEED, STEP + 1), STEP), STEP + 1);
  });

  it('C-05: may hold spaces; other digits than ASCII, signs and lengths are none', () => {
    const code = codeAt(SEED, STEP);
    assert.equal(stepFor(` ${code.slice(0, 3)} ${code.slice(3)} `), STEP);
    const arabic = [...code].map((digit) => String.fromCodePoint(0x660 + Number(digit))).join('');
    for (const text of [arabic, `+${code}`, `${code}0`, code.slice(1), '', `${code}\n`, '1e5000', '0x1234']) {
      assert.equal(stepFor(text), undefined, JSON.stringify(text));
    }
  });

  it('C-05: is not what anything else is', () => {
    const right = new Set([-1, 0, 1].map((drift) => codeAt(SEED, STEP + drift)));
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (!right.has(text.replaceAll(' ', ''))) assert.equal(stepFor(text), undefined);
      }),
    );
  });
});

describe('a recovery code', () => {
  it('is one of ten, of 80 bits, and read however it is typed', () => {
    const codes = newRecoveryCodes(systemRandom);
    assert.equal(new Set(codes).size, 10);
    const [first = ''] = codes;
    assert.match(first, /^([a-z2-7]{4}-){3}[a-z2-7]{4}$/);
    const plain = first.replaceAll('-', '');
    for (const typed of [first, plain, first.toUpperCase(), first.replaceAll('-', ' ')]) {
      assert.equal(parseRecoveryCode(typed), plain);
    }
    for (const typed of ['', plain.slice(1), `${plain}a`, '123456']) {
      assert.equal(parseRecoveryCode(typed), undefined);
    }
  });
});

describe('a seal', () => {
  const seal = createSeal(systemRandom.bytes(32), { random: systemRandom });

  it('opens for its owner with its key, and is another text each time', () => {
    const sealed = seal.close(SEED, 'ann');
    assert.equal(seal.open(sealed, 'ann'), SEED);
    assert.equal(sealed.includes(SEED), false);
    assert.notEqual(seal.close(SEED, 'ann'), sealed);
  });

  it('S-10: does not open for another owner, with another key, or changed', () => {
    const sealed = seal.close(SEED, 'ann');
    assert.throws(() => seal.open(sealed, 'bob'));
    assert.throws(() => createSeal(systemRandom.bytes(32), { random: systemRandom }).open(sealed, 'ann'));
    const bytes = Buffer.from(sealed.slice(3), 'base64');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(() => seal.open(`v1:${changed.toString('base64')}`, 'ann'), `byte ${at}`);
    }
    assert.throws(() => seal.open('v1:', 'ann'));
  });
});
