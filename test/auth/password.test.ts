import assert from 'node:assert/strict';
import {
  createPasswordHasher,
  DEFAULT_PASSWORD_HASH_OPTIONS,
  hashSecret,
  isRobotSecret,
  isSecretOf,
  newRobotSecret,
  parseAccountName,
  passwordProblem,
} from '../../src/auth/index.ts';
import { systemRandom } from '../../src/base/index.ts';
import { cpuMsOf } from '../support/cpu-time.ts';
import { FAST_HASH } from './fixtures.ts';

const parts = { random: systemRandom };

async function hashed(password: string, options = FAST_HASH): Promise<string> {
  const secretHash = await createPasswordHasher(options, parts).hash(password);
  assert.ok(typeof secretHash === 'string');
  return secretHash;
}

describe('the hash of a password', () => {
  it('is an argon2id PHC string that records its parameters', async () => {
    assert.match(
      await hashed('secret'),
      /^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
  });

  it('uses 64 MiB and one pass unless told otherwise', () => {
    const { memoryKiB, passes, parallelism, runningMax } = DEFAULT_PASSWORD_HASH_OPTIONS;
    assert.deepEqual([memoryKiB, passes, parallelism, runningMax], [65_536, 1, 1, 1]);
  });

  it('differs each time, by its salt', async () => {
    assert.notEqual(await hashed('secret'), await hashed('secret'));
  });

  it('is right for its password only', async () => {
    const hasher = createPasswordHasher(FAST_HASH, parts);
    const secretHash = await hashed('secret');
    assert.equal(await hasher.verify('secret', secretHash), 'right');
    for (const other of ['Secret', 'secret ', '', 'secre']) {
      assert.equal(await hasher.verify(other, secretHash), 'wrong');
    }
  });

  it('is right whichever way the letters were typed', async () => {
    const hasher = createPasswordHasher(FAST_HASH, parts);
    assert.equal(await hasher.verify('pa\u0308ss', await hashed('p\u00e4ss')), 'right');
  });

  it('can be checked after the parameters have changed, and says that it should be made anew when they have risen', async () => {
    const old = await hashed('secret', { ...FAST_HASH, memoryKiB: 32 });
    const hasher = createPasswordHasher(FAST_HASH, parts);
    assert.equal(await hasher.verify('secret', old), 'right');
    assert.equal(hasher.needsRehash(old), true);
    assert.equal(hasher.needsRehash(await hashed('secret')), false);
    assert.equal(hasher.needsRehash(await hashed('secret', { ...FAST_HASH, passes: 2 })), false);
    assert.equal(hasher.needsRehash('sha256:00'), true);
  });

  it('C-02 takes the same work for no account', async () => {
    const hasher = createPasswordHasher(DEFAULT_PASSWORD_HASH_OPTIONS, parts);
    const secretHash = await hashed('secret', DEFAULT_PASSWORD_HASH_OPTIONS);
    const verify = async (given: string | undefined) =>
      cpuMsOf(async () => assert.equal(await hasher.verify('wrong', given), 'wrong'));
    let [known, unknown] = [0, 0];
    for (let run = 0; run < 5; run++) {
      known += await verify(secretHash);
      unknown += await verify(undefined);
    }
    // Wide, for what else this process does: without the hash for nobody the ratio would be a thousand.
    assert.ok(unknown > known / 3 && unknown < known * 3, `${unknown} ms and ${known} ms`);
  });

  it('of more than 1 KiB is never computed', async () => {
    const hasher = createPasswordHasher({ ...FAST_HASH, runningMax: 0, waitingMax: 0 }, parts);
    assert.equal(await hasher.verify('x'.repeat(1025), undefined), 'wrong');
    assert.equal(await hasher.verify('\u00e4'.repeat(513), undefined), 'wrong');
  });

  for (const broken of [
    '',
    'sha256:00',
    '$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2id$v=16$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2id$v=19$m=9999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2id$v=19$m=4,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  ]) {
    it(`that is broken is wrong for every password: ${broken.slice(0, 32)}`, async () => {
      assert.equal(await createPasswordHasher(FAST_HASH, parts).verify('secret', broken), 'wrong');
    });
  }

  it('C-04 runs one at a time, lets some wait and refuses the others at once', async () => {
    const hasher = createPasswordHasher({ ...FAST_HASH, runningMax: 1, waitingMax: 2 }, parts);
    const all = await Promise.all(Array.from({ length: 6 }, () => hasher.verify('x', undefined)));
    assert.deepEqual(
      all.map((result) => (typeof result === 'string' ? result : result.code)),
      ['wrong', 'wrong', 'wrong', 'TOOMANYREQUESTS', 'TOOMANYREQUESTS', 'TOOMANYREQUESTS'],
    );
    assert.equal(await hasher.verify('x', undefined), 'wrong');
    const refused = await Promise.all(Array.from({ length: 4 }, () => hasher.hash('x')));
    assert.equal(refused.filter((result) => typeof result !== 'string').length, 1);
  });
});

describe('a new password', () => {
  for (const [name, password, problem] of [
    ['ann', 'short', /at least 10 characters/],
    ['ann', '\u{1f600}'.repeat(9), /at least 10 characters/],
    ['ann', 'x'.repeat(1025), /longer than 1024 bytes/],
    ['ann', 'long enough\nbut two lines', /control character/],
    ['ann', 'xk29 Annabelle vq71', /name of the account/],
    ['annabelle', 'ANNABELLE-93-tq!', /name of the account/],
    ['bo', 'password123456', /easy to guess/],
    ['bo', 'qwertyuiop', /easy to guess/],
    ['bo', 'aaaaaaaaaaaaaaaaaaaa', /easy to guess/],
    ['bo', 'dockgate2026', /easy to guess/],
    ['bo', '1234567890', /easy to guess/],
    ['bo', 'iloveyou2024', /easy to guess/],
    ['bo', newRobotSecret(systemRandom), /must not begin with dgr_/],
    ['bo', 'dgf_vV8#kqpz71mw', /must not begin with dg[rf]_/],
  ] as const) {
    it(`C-17 is refused in words: ${JSON.stringify(password.slice(0, 24))}`, async () => {
      assert.match((await passwordProblem({ name, password })) ?? '', problem);
    });
  }

  it('C-17 is accepted when it is hard to guess', async () => {
    for (const password of [
      'correct horse battery staple',
      'vV8#kqpz71mw',
      '\u00fcber-Kraftwerk zwirbelt 41',
    ]) {
      assert.equal(await passwordProblem({ name: 'ann', password }), undefined);
    }
  });

  it('C-17 is judged by its beginning, so that a long one costs no more than another', async () => {
    const password = 'ab1!'.repeat(256);
    const begun = await passwordProblem({ name: 'ann', password: password.slice(0, 100) });
    assert.equal(await passwordProblem({ name: 'ann', password }), begun);
  });
});

describe('a robot secret', () => {
  it('C-09 has a fixed beginning, 256 random bits and a checksum', () => {
    const secret = newRobotSecret(systemRandom);
    assert.match(secret, /^dgr_[0-9A-Za-z]{49}$/);
    assert.equal(isRobotSecret(secret), true);
    assert.notEqual(newRobotSecret(systemRandom), secret);
  });

  it('C-09 does not survive a typing error', () => {
    const secret = newRobotSecret({ bytes: (count) => new Uint8Array(count).fill(7) });
    for (let at = 4; at < secret.length; at++) {
      const other = secret.charAt(at) === 'x' ? 'y' : 'x';
      assert.equal(isRobotSecret(secret.slice(0, at) + other + secret.slice(at + 1)), false);
    }
    for (const text of ['', 'dgr_', secret.slice(1), `${secret}0`, `${secret}\n`]) {
      assert.equal(isRobotSecret(text), false);
    }
  });

  it('holds the least and the greatest random number', () => {
    for (const byte of [0, 255]) {
      assert.equal(
        isRobotSecret(newRobotSecret({ bytes: (count) => new Uint8Array(count).fill(byte) })),
        true,
      );
    }
  });

  it('is kept as its SHA-256 and compared with it', () => {
    const secret = newRobotSecret(systemRandom);
    assert.match(hashSecret(secret), /^sha256:[0-9a-f]{64}$/);
    assert.equal(isSecretOf(secret, hashSecret(secret)), true);
    for (const kept of ['', 'sha256:', hashSecret('other'), hashSecret(secret).toUpperCase()]) {
      assert.equal(isSecretOf(secret, kept), false);
    }
  });
});

describe('the name of an account', () => {
  it('T-20 holds nothing that means something elsewhere', () => {
    for (const name of ['ann', 'a', 'ann.b-c_d', '0', 'x'.repeat(64)])
      assert.equal(parseAccountName(name), name);
    for (const name of [
      '',
      'Ann',
      'a|b',
      '.*',
      'x/../y',
      '*',
      'a b',
      'robot$ci',
      '-a',
      'a-',
      'a..b',
      'a--b',
      'a:b',
      'a\n',
      '__proto__',
      'x'.repeat(65),
      '\u00e4',
      'a@b',
      'a,b',
      'a/b',
    ]) {
      assert.equal(parseAccountName(name), undefined, name);
    }
  });
});
