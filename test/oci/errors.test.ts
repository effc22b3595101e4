import assert from 'node:assert/strict';
import { errorBody, Fault, isRefusal, plainMessage, refuse, statusOf } from '../../src/oci/index.ts';

describe('a refusal', () => {
  it('takes its status from the table unless told otherwise', () => {
    assert.equal(refuse('DENIED', 'no').status, 403);
    assert.equal(refuse('MANIFEST_INVALID', 'too large', { status: 413 }).status, 413);
    assert.equal(statusOf('TOOMANYREQUESTS'), 429);
  });

  it('prints as a body with exactly one entry', () => {
    assert.deepEqual(JSON.parse(errorBody(refuse('NAME_INVALID', 'no', { detail: { name: 'A' } }))), {
      errors: [{ code: 'NAME_INVALID', message: 'no', detail: { name: 'A' } }],
    });
    assert.deepEqual(JSON.parse(errorBody(refuse('DENIED', 'no'))).errors[0].detail, null);
  });

  it('can be told from a result and from a fault', () => {
    assert.equal(isRefusal(refuse('DENIED', 'no')), true);
    for (const other of [undefined, null, 'x', {}, { code: 1 }, new Fault('DG_X', 'UNAVAILABLE', 'away')]) {
      assert.equal(isRefusal(other), false);
    }
  });
});

describe('a message', () => {
  it('is ASCII without control characters', () => {
    assert.equal(plainMessage('a\r\nb\u0007ä\u202e"'), 'a??b???"');
  });

  it('is clipped to 300 characters, and says so', () => {
    assert.equal(plainMessage('x'.repeat(300)).length, 300);
    assert.equal(plainMessage('x'.repeat(301)), `${'x'.repeat(297)}...`);
    assert.equal(plainMessage('abcdef', 5), 'ab...');
  });
});

describe('a fault', () => {
  it('carries its code, its status and its cause', () => {
    const cause = new Error('disk');
    const fault = new Fault('DG_X', 'UNAVAILABLE', 'away', cause, { headers: { 'Retry-After': '1' } });
    assert.deepEqual(
      [fault.code, fault.status, fault.cause, fault.headers['Retry-After']],
      ['DG_X', 503, cause, '1'],
    );
    assert.equal(new Fault('DG_X', 'UNKNOWN', 'x', undefined, { status: 502 }).status, 502);
  });
});
