import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { openCheckpoint, signCheckpoint } from '../../src/audit/checkpoint.ts';
import { createLogKey } from '../../src/audit/key.ts';
import { EMPTY_ROOT } from '../../src/audit/merkle.ts';
import { openNote, parseVerifierKey, printVerifierKey, type Signer, signNote } from '../../src/audit/note.ts';
import { openCheckpoint as openIndependently } from './independent.ts';

/** The example of Go's note package: key, text and signature as published. */
const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const GO_SECRET = 'AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const GO_TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_SIGNATURE =
  '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
const GO_NOTE = `${GO_TEXT}\n${GO_SIGNATURE}`;

function open(note: string, key = GO_KEY): string | undefined {
  const verifier = parseVerifierKey(key);
  assert.ok(verifier);
  return openNote(note, verifier);
}

function newSigner(name: string): Signer {
  return { name, ...createLogKey(generateKeyPairSync('ed25519').privateKey) };
}

describe('a signed note', () => {
  it('is refused after any change of one bit, also of those that base64 leaves over', () => {
    const signer = newSigner('dockgate/n1');
    const key = printVerifierKey(signer.name, signer.publicKey);
    for (let round = 0; round < 8; round += 1) {
      const note = signNote(`${round}\n`, signer);
      const bytes = Buffer.from(note);
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(open(changed.toString('utf8'), key), undefined, `bit ${bit} of ${JSON.stringify(note)}`);
      }
    }
  });

  it('is read as Go reads its published example', () => {
    assert.equal(open(GO_NOTE), GO_TEXT);
  });

  it('is signed byte for byte as Go signs its published example', () => {
    const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
    const der = Buffer.concat([prefix, Buffer.from(GO_SECRET, 'base64').subarray(1)]);
    const key = createLogKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    assert.equal(signNote(GO_TEXT, { name: 'PeterNeumann', ...key }), GO_NOTE);
    assert.equal(printVerifierKey('PeterNeumann', key.publicKey), GO_KEY);
  });

  it('may carry signatures of others beside ours', () => {
    const other = '\u2014 witness.example/w AAAAAAECAwQ=\n';
    assert.equal(open(`${GO_TEXT}\n${other}${GO_SIGNATURE}`), GO_TEXT);
    assert.equal(open(`${GO_TEXT}\n${GO_SIGNATURE}${other}`), GO_TEXT);
  });

  const refused: readonly [string, string][] = [
    ['its text was changed', GO_NOTE.replace('answer', 'Answer')],
    ['its signature was changed', GO_NOTE.replace('kuBS9U', 'kuBS9V')],
    ['it has no signature', `${GO_TEXT}\n`],
    ['only others signed it', `${GO_TEXT}\n\u2014 PeterNeumann AAAAAAECAwQ=\n`],
    ['another name stands at our signature', GO_NOTE.replace('\u2014 PeterNeumann', '\u2014 Peter')],
    ['a second signature of ours is wrong', `${GO_NOTE}${GO_SIGNATURE.replace('kuBS9U', 'kuBS9V')}`],
    ['the blank line is missing', GO_NOTE.replace('\n\n', '\n')],
    ['its last newline is missing', GO_NOTE.slice(0, -1)],
    ['it holds a carriage return', GO_NOTE.replace('\n\n', '\r\n\n')],
    ['text follows the signatures', `${GO_NOTE}more\n`],
    ['it is longer than any checkpoint', `${'x'.repeat(70_000)}\n\n${GO_SIGNATURE}`],
  ];
  for (const [why, note] of refused) {
    it(`is refused when ${why}`, () => {
      assert.notEqual(note, GO_NOTE);
      assert.equal(open(note), undefined);
    });
  }

  for (const [why, key] of [
    ['of another algorithm', GO_KEY.replace('+ARpc', '+AhpcA')],
    ['whose id is wrong', GO_KEY.replace('c74f20a3', 'c74f20a4')],
    ['without a name', GO_KEY.replace('PeterNeumann', '')],
    ['that is no key', 'hello'],
  ] as const) {
    it(`takes no verifier key ${why}`, () => assert.equal(parseVerifierKey(key), undefined));
  }
});

describe('a checkpoint', () => {
  const signer = newSigner('dockgate/n1');
  const key = printVerifierKey(signer.name, signer.publicKey);
  const verifier = parseVerifierKey(key);
  const good = signCheckpoint({ size: 17, root: EMPTY_ROOT }, signer);

  it('is read back by us and by a reader written from the specification alone', () => {
    assert.ok(verifier);
    const expected = { origin: 'dockgate/n1', size: 17, root: EMPTY_ROOT };
    assert.deepEqual(openCheckpoint(good, verifier), expected);
    assert.deepEqual(openIndependently(good, key), expected);
  });

  for (const [why, text] of [
    ['of another log under the same key (A-09)', 'dockgate/n2\n17\nROOT\n'],
    ['with a size that has a leading zero', 'dockgate/n1\n017\nROOT\n'],
    ['with a negative size', 'dockgate/n1\n-1\nROOT\n'],
    ['with a size beyond what a double holds', 'dockgate/n1\n9007199254740993\nROOT\n'],
    ['with a short root', 'dockgate/n1\n17\nAAAA\n'],
    ['without a root', 'dockgate/n1\n17\n'],
  ] as const) {
    it(`is refused ${why}, although the key signed it`, () => {
      assert.ok(verifier);
      const note = signNote(text.replace('ROOT', EMPTY_ROOT.toString('base64')), signer);
      assert.equal(openCheckpoint(note, verifier), undefined);
    });
  }

  it('is refused when another key of the same name signed it (A-09)', () => {
    assert.ok(verifier);
    assert.equal(
      openCheckpoint(signCheckpoint({ size: 17, root: EMPTY_ROOT }, newSigner('dockgate/n1')), verifier),
      undefined,
    );
  });
});
