import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { authorizationOf, parseAuthorization } from '../../src/auth/index.ts';

describe('the Authorization header of a request', () => {
  it('is the one there is, whatever the case of its name', () => {
    assert.deepEqual(authorizationOf(['Host', 'a', 'authorization', 'Bearer x']), {
      ok: true,
      authorization: 'Bearer x',
    });
    assert.deepEqual(authorizationOf(['AUTHORIZATION', 'Bearer x']), { ok: true, authorization: 'Bearer x' });
    assert.deepEqual(authorizationOf(['Host', 'authorization']), { ok: true, authorization: undefined });
    assert.deepEqual(authorizationOf([]), { ok: true, authorization: undefined });
  });

  it('T-37 is refused with 400 when there are two, even the same', () => {
    for (const second of ['Bearer x', 'Basic YTpi']) {
      const result = authorizationOf(['Authorization', 'Bearer x', 'Accept', '*/*', 'authorization', second]);
      assert.ok(!result.ok);
      assert.deepEqual(
        [result.refusal.status, result.refusal.code, result.reason],
        [400, 'UNAUTHORIZED', 'authorization.twice'],
      );
    }
  });

  it('T-37 is seen twice in what a real server hands us', async () => {
    const server = createServer((request, response) => {
      const result = authorizationOf(request.rawHeaders);
      response.statusCode = result.ok ? 200 : result.refusal.status;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const socket = connect(address.port, '127.0.0.1');
    socket.end(
      'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nauthorization: Basic YTpi\r\nConnection: close\r\n\r\n',
    );
    const [head] = await once(socket, 'data');
    assert.match(String(head), /^HTTP\/1\.1 400 /);
    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('T-38 is the only place: nothing else of a request is ever read', () => {
    assert.deepEqual(
      authorizationOf(['Cookie', 'token=x', 'X-Access-Token', 'x', 'Proxy-Authorization', 'Bearer x']),
      {
        ok: true,
        authorization: undefined,
      },
    );
  });

  it('ends the name of Basic at the first colon', () => {
    const header = `Basic ${Buffer.from('ann:pass:word: ').toString('base64')}`;
    assert.deepEqual(parseAuthorization(header), { kind: 'basic', name: 'ann', secret: 'pass:word: ' });
  });

  it('reads UTF-8 in Basic', () => {
    const header = `basic ${Buffer.from('ann:p\u00e4ss').toString('base64')}`;
    assert.deepEqual(parseAuthorization(header), { kind: 'basic', name: 'ann', secret: 'p\u00e4ss' });
  });

  it('allows more than one space after the scheme, and none before it that would hide it', () => {
    assert.deepEqual(parseAuthorization('Bearer   x'), { kind: 'bearer', token: 'x' });
    assert.equal(parseAuthorization('Bearer\tx'), undefined);
    assert.equal(parseAuthorization('Bearerx'), undefined);
  });
});
