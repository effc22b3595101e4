import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { systemRandom } from '../../src/base/index.ts';
import { createUploadSessions } from '../../src/gateway/upload-session.ts';
import { parseRepository } from '../../src/oci/index.ts';

const repository = parseRepository('team/app');
assert(repository);
const session = {
  repository,
  principalId: 'p1',
  state: '/v2/team/app/blobs/uploads/9?_state=x',
  expiresAtMs: 2000,
};

describe('an upload session in Location', () => {
  const sessions = createUploadSessions(randomBytes(32), systemRandom);

  it('is opened again by every process that holds the key', () => {
    assert.deepEqual(sessions.open(sessions.seal(session), 1999), session);
  });

  it('hides where the registry behind us keeps the upload', () => {
    assert.doesNotMatch(
      Buffer.from(sessions.seal(session), 'base64url').toString('latin1'),
      /uploads|_state/,
    );
  });

  it('ends at its time', () => {
    assert.equal(sessions.open(sessions.seal(session), 2000), undefined);
  });

  it('T-34: is nothing once any byte of it is changed', () => {
    const sealed = Buffer.from(sessions.seal(session), 'base64url');
    for (let index = 0; index < sealed.length; index += 1) {
      const forged = Buffer.from(sealed);
      forged[index] = (forged[index] ?? 0) ^ 1;
      assert.equal(sessions.open(forged.toString('base64url'), 0), undefined);
    }
  });

  it('T-34: is nothing under another key, cut short, or far too long', () => {
    const sealed = sessions.seal(session);
    assert.equal(createUploadSessions(randomBytes(32), systemRandom).open(sealed, 0), undefined);
    assert.equal(sessions.open(sealed.slice(0, 20), 0), undefined);
    assert.equal(sessions.open('', 0), undefined);
    assert.equal(sessions.open('a'.repeat(10_000), 0), undefined);
  });
});
