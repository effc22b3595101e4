import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { hasForbiddenBody, readBody } from '../../src/gateway/body.ts';
import { challenge } from '../../src/gateway/challenge.ts';
import { baseUrlOf, repeatedHeader } from '../../src/gateway/request.ts';

function message(
  method: string,
  headers: Record<string, string>,
  chunks: readonly string[] = [],
): IncomingMessage {
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  return Object.assign(stream, { method, headers }) as unknown as IncomingMessage;
}

describe('the frame of a request', () => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']) {
    it(`H-19, H-20: ${method} with a body is no request`, () => {
      assert(hasForbiddenBody(message(method, { 'transfer-encoding': 'chunked' })));
      assert(hasForbiddenBody(message(method, { 'content-length': '60' })));
      assert(!hasForbiddenBody(message(method, { 'content-length': '0' })));
      assert(!hasForbiddenBody(message(method, {})));
    });
  }

  it('may have a body on POST, PUT and PATCH', () => {
    for (const method of ['POST', 'PUT', 'PATCH']) {
      assert(!hasForbiddenBody(message(method, { 'content-length': '60' })));
    }
  });

  it('T-37: is malformed when a header that decides is given twice', () => {
    const twice = (name: string) =>
      repeatedHeader({ rawHeaders: [name, 'a', 'X', 'y', name.toUpperCase(), 'b'] });
    for (const name of ['authorization', 'host', 'content-length', 'content-range', 'range', 'expect']) {
      assert.equal(twice(name), name);
    }
    assert.equal(twice('accept'), undefined);
  });

  it('V-14: is read no further than its limit', async () => {
    assert.equal(await readBody(message('PUT', {}, ['12345', '67890', 'x']), 10), undefined);
    assert.equal(await readBody(message('PUT', { 'content-length': '11' }, ['1']), 10), undefined);
    assert.deepEqual(await readBody(message('PUT', {}, ['12345', '67890']), 10), Buffer.from('1234567890'));
  });
});

describe('the address that a client is sent back to', () => {
  const options = { hosts: new Set(['localhost:8443', 'reg.corp']), publicUrl: 'https://reg.corp' };

  it('is the one it came by, when that is one of our names', () => {
    assert.equal(baseUrlOf({ headers: { host: 'LOCALHOST:8443' } }, options), 'https://localhost:8443');
  });

  it('is the public one for any other Host', () => {
    assert.equal(baseUrlOf({ headers: { host: 'evil.example' } }, options), 'https://reg.corp');
    assert.equal(baseUrlOf({ headers: {} }, options), 'https://reg.corp');
  });
});

describe('a challenge', () => {
  it('names realm and service, and the scope and the error where there is one', () => {
    assert.deepEqual(challenge('https://reg.corp', 'dockgate'), {
      'www-authenticate': 'Bearer realm="https://reg.corp/token",service="dockgate"',
    });
    assert.deepEqual(challenge('https://reg.corp', 'dockgate', 'repository:a:pull', 'insufficient_scope'), {
      'www-authenticate':
        'Bearer realm="https://reg.corp/token",service="dockgate",scope="repository:a:pull",error="insufficient_scope"',
    });
  });
});
