import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint } from 'jose';
import {
  addTokenKey,
  createTokenIssuer,
  ensureTokenKey,
  openKeyRing,
  printJwks,
  removeTokenKey,
} from '../../src/auth/index.ts';
import { createLocalChanges, createManualClock, StartError, systemRandom } from '../../src/base/index.ts';
import { ISSUER, SERVICE } from './fixtures.ts';

describe('the key ring', () => {
  let base = '';
  let directory = '';
  const clock = createManualClock();
  const changes = createLocalChanges();
  const failed: unknown[] = [];
  const open = () => openKeyRing(directory, { changes, onReloadFailed: (cause) => failed.push(cause) });
  const path = (createdAtMs: number) => join(directory, `token-${createdAtMs}.pem`);

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'dockgate-keys-'));
    directory = join(base, 'keys');
    failed.length = 0;
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  it('S-01 makes its first key with the mode 0600 in a directory with 0700, whatever the umask', () => {
    const umask = process.umask(0);
    try {
      ensureTokenKey(directory, { clock });
    } finally {
      process.umask(umask);
    }
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(path(clock.nowMs())).mode & 0o777, 0o600);
  });

  it('S-01 makes it readable for itself under a umask that forbids all', () => {
    const umask = process.umask(0o777);
    try {
      ensureTokenKey(directory, { clock });
    } finally {
      process.umask(umask);
    }
    assert.equal(statSync(path(clock.nowMs())).mode & 0o777, 0o600);
    assert.equal(open().keys().length, 1);
  });

  it('keeps the key that is there', () => {
    ensureTokenKey(directory, { clock });
    const text = readFileSync(path(clock.nowMs()), 'utf8');
    ensureTokenKey(directory, { clock });
    assert.deepEqual(readdirSync(directory).length, 1);
    assert.equal(readFileSync(path(clock.nowMs()), 'utf8'), text);
  });

  it('publishes only the public halves, named by their RFC 7638 thumbprints', async () => {
    ensureTokenKey(directory, { clock });
    const ring = open();
    const [jwk] = printJwks(ring).keys;
    assert.ok(jwk);
    assert.deepEqual(Object.keys(jwk).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    assert.deepEqual([jwk.kty, jwk.crv, jwk.alg, jwk.use], ['EC', 'P-256', 'ES256', 'sig']);
    const thumbprint = await calculateJwkThumbprint({
      kty: 'EC',
      crv: 'P-256',
      x: String(jwk.x),
      y: String(jwk.y),
    });
    assert.equal(jwk.kid, thumbprint);
    assert.equal(ring.keys()[0]?.kid, thumbprint);
  });

  it('T-35 reads keys that come and go on a change, newest first', async () => {
    ensureTokenKey(directory, { clock });
    const ring = open();
    const issuer = createTokenIssuer(
      { issuer: ISSUER, service: SERVICE, lifetimeSeconds: 300 },
      { keys: ring, clock, random: systemRandom },
    );
    const { token } = await issuer.issue({ principal: { kind: 'user', id: 'u', name: 'u' }, scopes: [] });
    const [first] = ring.keys();
    assert.ok(first);
    assert.equal(ring.keys(), ring.keys());
    clock.advance(1000);
    addTokenKey(directory, { clock });
    assert.equal(ring.keys().length, 1);
    changes.publish({ topic: 'keys' });
    assert.deepEqual(
      ring.keys().map((key) => key.createdAtMs),
      [clock.nowMs(), first.createdAtMs],
    );
    assert.equal((await issuer.verify(token)).ok, true);
    assert.equal(removeTokenKey(directory, first.kid), true);
    assert.equal(removeTokenKey(directory, first.kid), false);
    changes.publish({ topic: 'keys' });
    assert.deepEqual(await issuer.verify(token), { ok: false, cause: 'key' });
    ring.close();
  });

  it('reads again when the channel may have lost a change, and no more once closed', () => {
    ensureTokenKey(directory, { clock });
    const ring = open();
    clock.advance(1);
    addTokenKey(directory, { clock });
    changes.lose();
    assert.equal(ring.keys().length, 2);
    ring.close();
    clock.advance(1);
    addTokenKey(directory, { clock });
    changes.lose();
    assert.equal(ring.keys().length, 2);
  });

  it('does not overwrite a key that is there', () => {
    ensureTokenKey(directory, { clock });
    assert.throws(() => addTokenKey(directory, { clock }), /is there already/);
  });

  it('keeps the keys it has, and tells, when a new file is broken', () => {
    ensureTokenKey(directory, { clock });
    const ring = open();
    writeFileSync(join(directory, 'token-9.pem'), 'nonsense', { mode: 0o600 });
    changes.publish({ topic: 'keys' });
    assert.equal(ring.keys().length, 1);
    assert.ok(failed[0] instanceof StartError);
    ring.close();
  });

  it('stops the start when there is no key', () => {
    assert.throws(open, (error: unknown) => error instanceof StartError && error.message.includes(directory));
  });

  it('S-03 removes what a crash left of a key that was being written', () => {
    mkdirSync(directory, { mode: 0o700 });
    writeFileSync(join(directory, 'token-1.pem.new'), '-----BEGIN PRI', { mode: 0o600 });
    ensureTokenKey(directory, { clock });
    assert.deepEqual(readdirSync(directory), [`token-${clock.nowMs()}.pem`]);
    assert.equal(open().keys().length, 1);
  });

  it('does not look at other files of the directory', () => {
    mkdirSync(directory, { mode: 0o700 });
    writeFileSync(join(directory, 'log.key'), 'other');
    ensureTokenKey(directory, { clock });
    assert.equal(open().keys().length, 1);
    assert.ok(existsSync(join(directory, 'log.key')));
  });

  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const FILES: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['empty', '', /no private key/],
    ['truncated', p256.privateKey.export(pkcs8).toString().slice(0, 80), /no private key/],
    ['no key at all', 'nonsense', /no private key/],
    ['a public key', p256.publicKey.export({ type: 'spki', format: 'pem' }), /no private key/],
    [
      'encrypted',
      p256.privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'x' }),
      /no private key in PEM form without a passphrase/,
    ],
    ['an RSA key', rsa.privateKey.export(pkcs8), /no P-256 key/],
    [
      'a P-384 key',
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pkcs8),
      /no P-256 key/,
    ],
    ['an Ed25519 key', generateKeyPairSync('ed25519').privateKey.export(pkcs8), /no P-256 key/],
    ['far too large', 'x'.repeat(20_000), /too large/],
  ];
  for (const [what, content, problem] of FILES) {
    it(`S-02 stops the start, and makes no new key, when the file is ${what}`, () => {
      mkdirSync(directory, { mode: 0o700 });
      const file = join(directory, 'token-1.pem');
      writeFileSync(file, content, { mode: 0o600 });
      for (const start of [open, () => ensureTokenKey(directory, { clock })]) {
        assert.throws(start, (error: unknown) => {
          assert.ok(error instanceof StartError);
          assert.match(error.message, problem);
          return error.message.includes(file);
        });
      }
      assert.deepEqual(readdirSync(directory), ['token-1.pem']);
    });
  }

  for (const mode of [0o640, 0o604, 0o660, 0o610]) {
    it(`S-01 stops the start when the file has the mode ${mode.toString(8)}`, () => {
      ensureTokenKey(directory, { clock });
      chmodSync(path(clock.nowMs()), mode);
      assert.throws(open, (error: unknown) => error instanceof StartError && /chmod 600/.test(error.message));
    });
  }

  // Only root can give a file away, so this is skipped for others.
  (process.geteuid?.() === 0 ? it : it.skip)('S-02 stops the start when the file belongs to another', () => {
    ensureTokenKey(directory, { clock });
    chownSync(path(clock.nowMs()), 65_534, 65_534);
    assert.throws(
      open,
      (error: unknown) => error instanceof StartError && /belongs to user 65534/.test(error.message),
    );
  });

  it('S-02 stops the start when the file is a link', () => {
    ensureTokenKey(directory, { clock });
    symlinkSync(path(clock.nowMs()), join(directory, 'token-1.pem'));
    assert.throws(
      open,
      (error: unknown) => error instanceof StartError && /token-1\.pem/.test(error.message),
    );
  });

  it('S-02 stops the start when the file is a directory', () => {
    mkdirSync(join(directory, 'token-1.pem'), { recursive: true, mode: 0o700 });
    assert.throws(
      open,
      (error: unknown) => error instanceof StartError && /no plain file/.test(error.message),
    );
  });

  it('S-03 says what to remove when it cannot clean up or write', () => {
    mkdirSync(`${path(clock.nowMs())}.new`, { recursive: true, mode: 0o700 });
    assert.throws(() => addTokenKey(directory, { clock }), /cannot write the token key .*EEXIST/);
    assert.throws(() => ensureTokenKey(directory, { clock }), /cannot remove .*\.pem\.new/);
    assert.throws(() => addTokenKey(join(`${process.execPath}`, 'keys'), { clock }), StartError);
  });

  it('stops the start when the directory is a file', () => {
    writeFileSync(directory, '');
    assert.throws(() => ensureTokenKey(directory, { clock }), StartError);
    assert.throws(open, StartError);
  });
});
