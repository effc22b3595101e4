import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { createManualClock, silentLogger } from '../../src/base/index.ts';
import { parseChallenges } from '../../src/upstream/challenge.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { cpuMsOf } from '../support/cpu-time.ts';
import { type RawRequest, startRawUpstream } from '../support/raw-upstream.ts';
import { receiveUpload } from '../support/upload-body.ts';
import { answerOf, type Script, withStub } from './stub.ts';

const repository = repositoryOf('team/app');
const tag = tagOf('v1');
const SIGN_IN = { code: 'DG_UPSTREAM_SIGN_IN', status: 502 };
const account = { username: 'gate', password: 'p:wörd' };
const basic = `Basic ${Buffer.from('gate:p:wörd').toString('base64')}`;

const hostOf = (request: RawRequest) => headerOf(request, 'host') ?? '';

function headerOf(request: RawRequest, name: string): string | undefined {
  return request.headers
    .find((header) => header.toLowerCase().startsWith(`${name}: `))
    ?.slice(name.length + 2);
}

/**
 * A registry that takes the tokens its own service gave; `expires` is what the service says of their life.
 */
function tokenRegistry(
  log: string[],
  expires: number | undefined,
  isValid: (token: string) => boolean,
): Script {
  let count = 0;
  return (request, socket) => {
    log.push(request.line.replace(' HTTP/1.1', ''));
    if (request.line.startsWith('GET /token')) {
      assert.equal(headerOf(request, 'authorization'), basic);
      count += 1;
      const life = expires === undefined ? {} : { expires_in: expires };
      return void socket.write(answerOf('200 OK', [], JSON.stringify({ token: `t${count}`, ...life })));
    }
    const token = /^Bearer (.*)$/.exec(headerOf(request, 'authorization') ?? '')?.[1];
    if (token !== undefined && isValid(token)) return void socket.write(answerOf('404 Not Found'));
    const realm = `Bearer realm="http://${hostOf(request)}/token",service="reg",scope="repository:user/image:pull"`;
    socket.write(answerOf('401 Unauthorized', [`WWW-Authenticate: ${realm}`]));
  };
}

const TOKEN_PULL = 'GET /token?service=reg&scope=repository%3Ateam%2Fapp%3Apull&account=gate';
const HEAD = 'HEAD /v2/team/app/manifests/v1';

describe('signing in at the upstream by token', () => {
  it('asks for the scope it needs, not for the one in the challenge, and keeps the token 80 % of its life', async () => {
    const clock = createManualClock();
    const log: string[] = [];
    await withStub(
      tokenRegistry(log, 100, () => true),
      async (source) => {
        await source.resolve(repository, tag);
        assert.deepEqual(log.splice(0), [HEAD, TOKEN_PULL, HEAD]);
        clock.advance(79_000);
        await source.resolve(repository, tag);
        assert.deepEqual(log.splice(0), [HEAD]);
        clock.advance(1_000);
        await source.resolve(repository, tag);
        assert.deepEqual(log.splice(0), [TOKEN_PULL, HEAD]);
      },
      account,
      { clock },
    );
  });

  it('counts 60 seconds where the token service states no life', async () => {
    const clock = createManualClock();
    const log: string[] = [];
    await withStub(
      tokenRegistry(log, undefined, () => true),
      async (source) => {
        await source.resolve(repository, tag);
        clock.advance(47_999);
        await source.resolve(repository, tag);
        assert.equal(log.filter((line) => line.startsWith('GET /token')).length, 1);
        clock.advance(1);
        await source.resolve(repository, tag);
        assert.equal(log.filter((line) => line.startsWith('GET /token')).length, 2);
      },
      account,
      { clock },
    );
  });

  it('fetches a new token when the kept one is refused, and gives up when that one is too', async () => {
    const log: string[] = [];
    await withStub(
      tokenRegistry(log, 3600, (token) => token === 't1' || token === 't3'),
      async (source) => {
        await source.resolve(repository, tag);
        assert.deepEqual(log.splice(0), [HEAD, TOKEN_PULL, HEAD]);
        await source.resolve(repositoryOf('other/app'), tag);
        assert.equal(log.length, 4, 'a token, refused, another token, taken');
      },
      account,
    );
    const refused: string[] = [];
    await withStub(
      tokenRegistry(refused, 3600, () => false),
      async (source) => {
        await assert.rejects(source.resolve(repository, tag), SIGN_IN);
        assert.deepEqual(refused, [HEAD, TOKEN_PULL, HEAD]);
      },
      account,
    );
  });

  it('fetches one token for many questions at once', async () => {
    const log: string[] = [];
    await withStub(
      tokenRegistry(log, 3600, () => true),
      async (source) => {
        await source.resolve(repository, tag);
        log.splice(0);
        const other = repositoryOf('other/app');
        await Promise.all(Array.from({ length: 20 }, () => source.resolve(other, tag)));
        assert.equal(log.filter((line) => line.startsWith('GET /token')).length, 1);
      },
      account,
    );
  });

  it('has its token before the first byte of an upload, and never sends the body twice', async () => {
    const log: string[] = [];
    const script = tokenRegistry(log, 3600, (token) => token === 't9');
    await withStub(
      async (request, socket, body) => {
        if (request.line.startsWith('PATCH')) await body;
        await script(request, socket, body);
      },
      async (source) => {
        const received = await receiveUpload({ chunks: ['abc'] });
        await assert.rejects(source.appendUpload(repository, '/v2/u/1', received.body), SIGN_IN);
        assert.ok(log.filter((line) => line.startsWith('PATCH')).length <= 1);
        received.close();
      },
      account,
    );
  });

  const hostile: readonly [string, (host: string, witness: string) => string][] = [
    ['at a metadata service', () => 'http://169.254.169.254/token'],
    ['at another host', () => 'https://evil.example/token'],
    ['in a file', () => 'file:///etc/passwd'],
    ['at another port of this host', (_host, witness) => `http://${witness}/token`],
    ['under another scheme', (host) => `https://${host}/token`],
    ['at another name of this host', (host) => `http://${host.replace('127.0.0.1', 'localhost')}/token`],
    ['with a credential', (host) => `http://a:b@${host}/token`],
    ['without address', () => ''],
    ['in words', () => 'token'],
  ];
  for (const [what, realm] of hostile) {
    it(`sends the password to no realm ${what} (P-01)`, async () => {
      let connectionCount = 0;
      const witness = createServer((socket) => {
        connectionCount += 1;
        socket.destroy();
      }).listen(0, '127.0.0.1');
      await once(witness, 'listening');
      const address = witness.address();
      assert.ok(address !== null && typeof address !== 'string');
      const script: Script = (request, socket) => {
        const challenge = `Bearer realm="${realm(hostOf(request), `127.0.0.1:${address.port}`)}",service="reg"`;
        socket.write(answerOf('401 Unauthorized', [`WWW-Authenticate: ${challenge}`]));
      };
      await withStub(
        script,
        async (source, stub) => {
          await assert.rejects(source.resolve(repository, tag), SIGN_IN);
          assert.equal(stub.requests.length, 1);
          assert.doesNotMatch(stub.received(), /authorization/i);
        },
        account,
      );
      assert.equal(connectionCount, 0);
      witness.close();
    });
  }

  it('sends it to another origin that is on the list', async () => {
    const log: string[] = [];
    const service = await startRawUpstream((request, socket) => {
      log.push(headerOf(request, 'authorization') ?? '');
      socket.write(answerOf('200 OK', [], JSON.stringify({ access_token: 'abc' })));
    });
    const script: Script = (request, socket) => {
      const isSigned = headerOf(request, 'authorization') === 'Bearer abc';
      const challenge = `WWW-Authenticate: Bearer realm="${service.url}/auth"`;
      socket.write(isSigned ? answerOf('404 Not Found') : answerOf('401 Unauthorized', [challenge]));
    };
    await withStub(
      script,
      async (source) => {
        assert.equal(await source.resolve(repository, tag), undefined);
        assert.deepEqual(log, [basic]);
      },
      { ...account, tokenRealms: [service.url] },
    );
    await service.close();
  });

  const services: readonly [string, string, object][] = [
    ['refuses', answerOf('401 Unauthorized'), SIGN_IN],
    ['is busy', answerOf('503 Busy'), { code: 'DG_UPSTREAM_UNAVAILABLE' }],
    ['redirects', answerOf('302 Found', ['Location: http://evil.example/']), SIGN_IN],
    ['gives HTML', answerOf('200 OK', [], '<html>'), SIGN_IN],
    ['gives no token', answerOf('200 OK', [], '{"token":""}'), SIGN_IN],
    ['gives a token that would split a header', answerOf('200 OK', [], '{"token":"a\\r\\nX: y"}'), SIGN_IN],
    ['gives a megabyte', answerOf('200 OK', [], 'x'.repeat(1_000_000)), { code: 'DG_UPSTREAM_PROTOCOL' }],
  ];
  for (const [what, answer, expected] of services) {
    it(`is a fault when the token service ${what}`, async () => {
      const script: Script = (request, socket) => {
        const challenge = `WWW-Authenticate: Bearer realm="http://${hostOf(request)}/token"`;
        socket.write(
          request.line.startsWith('GET /token') ? answer : answerOf('401 Unauthorized', [challenge]),
        );
      };
      await withStub(
        script,
        async (source) => {
          await assert.rejects(source.resolve(repository, tag), expected);
        },
        account,
      );
    });
  }
});

describe('signing in at the upstream by password', () => {
  it('shows it only after it was asked for, then at once', async () => {
    const script: Script = (request, socket) => {
      const isSigned = headerOf(request, 'authorization') === basic;
      socket.write(
        isSigned
          ? answerOf('404 Not Found')
          : answerOf('401 Unauthorized', ['WWW-Authenticate: Basic realm="x"']),
      );
    };
    await withStub(
      script,
      async (source, stub) => {
        await source.resolve(repository, tag);
        await source.resolve(repository, tag);
        assert.deepEqual(
          stub.requests.map((request) => headerOf(request, 'authorization')),
          [undefined, basic, basic],
        );
      },
      account,
    );
  });

  it('is a fault where the upstream asks for another scheme or for none', async () => {
    for (const headers of [['WWW-Authenticate: Negotiate'], []]) {
      await withStub(
        answerOf('401 Unauthorized', headers),
        async (source) => {
          await assert.rejects(source.resolve(repository, tag), SIGN_IN);
        },
        account,
      );
    }
  });
});

describe('the options of an upstream', () => {
  const parts = { clock: createManualClock(), logger: silentLogger };
  for (const url of [
    'ftp://host',
    'host:5000',
    'http://user:secret@host',
    'http://host/path',
    'http://host/?q',
    'http://host/#f',
    '',
  ]) {
    it(`are refused with the address ${JSON.stringify(url)}, without printing it`, () => {
      assert.throws(
        () => createUpstream({ url }, parts),
        (error: Error) => error.name === 'StartError' && !error.message.includes('secret'),
      );
    });
  }

  it('are refused with half a credential', () => {
    assert.throws(() => createUpstream({ url: 'http://host', username: 'a' }, parts), { name: 'StartError' });
    assert.throws(() => createUpstream({ url: 'http://host', username: 'a:b', password: 'c' }, parts), {
      name: 'StartError',
    });
  });

  it('that send a password over plain http to another host are warned of', async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    for (const url of [
      'http://registry.corp',
      'https://registry.corp',
      'http://127.0.0.1:5000',
      'http://[::1]:5000',
    ]) {
      await createUpstream({ url, ...account }, { ...parts, logger }).close();
    }
    assert.equal(warnings.length, 1);
  });
});

describe('a challenge', () => {
  it('is read with quoted and plain parameters, several in one header', () => {
    const [basicChallenge, bearer] = parseChallenges(
      'Basic realm="a, \\"b\\"", Bearer realm=x , service="y=z"',
    );
    assert.equal(basicChallenge?.parameters.get('realm'), 'a, "b"');
    assert.equal(bearer?.scheme, 'bearer');
    assert.equal(bearer.parameters.get('realm'), 'x');
    assert.equal(bearer.parameters.get('service'), 'y=z');
  });

  it('is dropped whole when a parameter is given twice or cannot be read', () => {
    assert.deepEqual(parseChallenges('Bearer realm="a", realm="b"'), []);
    assert.deepEqual(parseChallenges('Bearer realm="a'), []);
    assert.deepEqual(parseChallenges('realm="a"'), []);
    assert.deepEqual(parseChallenges('"'), []);
  });

  it('never throws and never takes long, whatever is written', async () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'B', '"', '\\', '=', ',', ' ', 'é') }), (text) => {
        parseChallenges(text);
      }),
    );
    const spentMs = await cpuMsOf(() => {
      parseChallenges(`Bearer realm="${'\\'.repeat(50_000)}`);
      parseChallenges('a '.repeat(20_000));
    });
    assert.ok(spentMs < 2000, `${spentMs} ms`);
  });
});
