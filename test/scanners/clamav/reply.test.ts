import assert from 'node:assert/strict';
import { parseReply } from '../../../src/scanners/clamav/reply.ts';

describe('a reply of clamd', () => {
  it('is clean when it is a plain OK, in a session or not', () => {
    for (const line of ['stream: OK', '7: stream: OK']) assert.equal(parseReply(line).kind, 'clean');
  });

  it('names the signature that was found', () => {
    assert.deepEqual(parseReply('1: stream: Win.Test.EICAR_HDB-1 FOUND'), {
      kind: 'found',
      signature: 'Win.Test.EICAR_HDB-1',
    });
  });

  it('says that a limit kept it from looking', () => {
    for (const line of [
      '1: stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND',
      'INSTREAM size limit exceeded. ERROR',
    ]) {
      assert.equal(parseReply(line).kind, 'limit', line);
    }
  });

  it('is nothing to rely on in any other case', () => {
    for (const line of ['', 'OK', '1: stream: ', "1: stream: Can't open file ERROR", '1: stream: OK ERROR']) {
      assert.equal(parseReply(line).kind, 'failed', line);
    }
  });
});
