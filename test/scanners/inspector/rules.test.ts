import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { FileSearch } from '../../../src/scanners/inspector/file-search.ts';
import { OWN_RULES } from '../../../src/scanners/inspector/own-rules.ts';
import {
  isPlausiblePassword,
  isRandomEnough,
  isSampleHost,
} from '../../../src/scanners/inspector/plausible.ts';
import { describePrivateKey } from '../../../src/scanners/inspector/private-keys.ts';
import { createSecretSearch } from '../../../src/scanners/inspector/secret-search.ts';
import { createSecretlintRules } from '../../../src/scanners/inspector/secretlint-rules.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';
import { plantSecrets } from './planted.ts';
import { createRandom } from './scanning.ts';

const random = createRandom('rules');

const RULES = [...createSecretlintRules(), ...OWN_RULES];
const MIB = 1024 * 1024;

describe('the rules for secrets', () => {
  it('have an id of their own each, in kebab-case, and a sentence for people', () => {
    assert.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length);
    for (const { id, title } of RULES) {
      assert.match(id, /^[a-z0-9]+(?:-[a-z0-9]+)+$/);
      assert.match(title, /^[A-Za-z0-9]/);
    }
  });

  it('have keywords of which none hides another', () => {
    const keywords = [...new Set(RULES.flatMap((rule) => rule.keywords))];
    for (const one of keywords) {
      assert.ok(one.length >= 3);
      const hidden = keywords.filter((other) => other !== one && one.includes(other));
      assert.deepEqual(hidden, [], one);
    }
  });

  it('keep to few files when they have no keyword', () => {
    for (const rule of RULES.filter(({ keywords }) => keywords.length === 0)) {
      assert.equal(rule.appliesTo?.({ path: '/usr/bin/program', isBinary: true }), false, rule.id);
      assert.equal(rule.appliesTo?.({ path: '/app/index.js', isBinary: false }), false, rule.id);
    }
  });

  it('include none of secretlint that an image could steer by its content', () => {
    assert.ok(!RULES.some(({ id }) => /filter|comment/.test(id)));
  });

  it('stay fast on text that consists of their keywords', async () => {
    const search = createSecretSearch(RULES);
    const origin = { path: '/app/.env', isBinary: false };
    for (const keyword of RULES.flatMap((rule) => rule.keywords)) {
      for (const filling of ['', 'aB3', ' ', '\n']) {
        const part = keyword + filling;
        const text = part.repeat(Math.ceil(MIB / 8 / part.length));
        const spentMs = await cpuMsOf(() => search(text, origin));
        assert.ok(spentMs < 5000, `${keyword} and ${JSON.stringify(filling)}: ${spentMs} ms`);
      }
    }
  }).timeout(120_000);
});

describe('the search in a file', () => {
  const search = createSecretSearch(RULES);
  const foundIn = (path: string, chunks: readonly Buffer[]): readonly string[] => {
    const lines: string[] = [];
    const file = new FileSearch(path, search, ({ found, line }) => lines.push(`${found.rule.id} ${line}`));
    for (const chunk of chunks) file.push(chunk);
    file.end();
    return lines.toSorted();
  };

  it('finds the same, however the file is cut into chunks', () => {
    for (const { path, data } of plantSecrets()) {
      const bytes = Buffer.from(`line 1\nline 2\n${data}`);
      const whole = foundIn(path, [bytes]);
      assert.ok(whole.length > 0);
      for (const size of [1, 7, 100]) {
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        assert.deepEqual(foundIn(path, chunks), whole);
      }
    }
  });

  it('tells the line in the first megabyte, and no line behind it', () => {
    const token = `ghp_${random(36)}`;
    assert.deepEqual(foundIn('/a', [Buffer.from(`\n\n${token}`)]), ['github-token 3']);
    assert.deepEqual(foundIn('/a', [Buffer.from(`${'\n'.repeat(2 * MIB)}${token}`)]), [
      'github-token undefined',
    ]);
  });

  it('takes a chunk of any size, also one that no string could hold', () => {
    const big = Buffer.alloc(600 * MIB);
    big.write(`ghp_${random(36)}`, 599 * MIB);
    assert.deepEqual(foundIn('/a', [big]), ['github-token undefined']);
  });
});

describe('a private key', () => {
  const pem = (type: 'pkcs1' | 'pkcs8' | 'sec1', passphrase?: string): string => {
    const isEc = type === 'sec1';
    const { privateKey } = isEc
      ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
    const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
    return privateKey.export({ type, format: 'pem', ...cipher }).toString();
  };

  it('is known by its kind, in every common form', () => {
    assert.equal(describePrivateKey(pem('pkcs1')), 'RSA 2048');
    assert.equal(describePrivateKey(pem('pkcs8')), 'RSA 2048');
    assert.equal(describePrivateKey(pem('sec1')), 'EC prime256v1');
    const { privateKey } = generateKeyPairSync('ed25519');
    const ed25519 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    assert.equal(describePrivateKey(ed25519), 'ED25519');
    assert.equal(describePrivateKey(ed25519.replaceAll('\n', '\\n')), 'ED25519');
    assert.equal(describePrivateKey(ed25519.replaceAll('\n', '\r\n    ')), 'ED25519');
  });

  it('is none when it is encrypted, too small, damaged or made up', () => {
    assert.equal(describePrivateKey(pem('pkcs1', 'secret')), undefined);
    assert.equal(describePrivateKey(pem('sec1').replace(/\n..../, '\nAAAA')), undefined);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 512 });
    assert.equal(
      describePrivateKey(privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()),
      undefined,
    );
    const openSsh = Buffer.from(`openssh-key-v1\0\0\0\0\u0004none${'A'.repeat(300)}`).toString('base64');
    const block = `-----BEGIN OPENSSH PRIVATE KEY-----\n${openSsh}\n-----END OPENSSH PRIVATE KEY-----`;
    assert.equal(describePrivateKey(block), undefined);
    assert.equal(describePrivateKey('no key'), undefined);
  });
});

describe('what looks real', () => {
  it('is not a sample', () => {
    for (const sample of [
      'xxxxxxxxxxxxxxxx',
      'abcdefghij0123456789',
      'YOUR_EXAMPLE_TOKEN_1',
      'aaaaaaaaaaaaaaaab',
    ]) {
      assert.equal(isRandomEnough(sample), false, sample);
    }
    for (const sample of [
      'password',
      'P@ssw0rd!',
      'changeme123',
      '$SECRET_1',
      '<secret-1>',
      'hunter2hunter2',
      'testing123',
      'foo-bar-1',
    ]) {
      assert.equal(isPlausiblePassword(sample), false, sample);
    }
    for (const host of [
      'localhost',
      'db.example.com',
      'example.org:8080',
      'x.test',
      '127.0.0.1',
      'myhost',
      'localhost:$PORT',
    ]) {
      assert.equal(isSampleHost(host), true, host);
    }
  });

  it('is what people and programs make', () => {
    for (let count = 0; count < 1000; count += 1) {
      const text = random(20);
      assert.ok(isRandomEnough(text), text);
      assert.ok(isPlausiblePassword(text), text);
    }
    for (const password of ['kV9!xQ2#mm', 'correct-horse-7battery', 'Tr0ub4dor&3', 'Sommer2024!']) {
      assert.ok(isPlausiblePassword(password), password);
    }
    for (const host of ['db.corp.net', 'reg.internal:5000', '10.20.30.40', 'postgres-main']) {
      assert.equal(isSampleHost(host), false, host);
    }
  });
});
