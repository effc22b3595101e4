import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { LookupFunction } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { silentLogger, systemClock } from '../../src/base/index.ts';
import { isReservedAddress, publicLookup } from '../../src/upstream/addresses.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { createTestCertificate } from '../support/certificates.ts';
import { digestOf } from '../support/image.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { answerOf, type Script, withStub } from './stub.ts';

const repository = repositoryOf('team/app');
const blob = digestOf(Buffer.from('bytes'));
const PROTOCOL = { code: 'DG_UPSTREAM_PROTOCOL', status: 502 };
const redirect = (location: string) => answerOf('307 Temporary Redirect', [`Location: ${location}`]);

/** Another server on loopback, which nobody configured: it must never be reached. */
async function withWitness(run: (witness: RawUpstream) => Promise<void>): Promise<void> {
  const witness = await startRawUpstream(
    (_request, socket) => void socket.write(answerOf('200 OK', [], 'bytes')),
  );
  try {
    await run(witness);
  } finally {
    await witness.close();
  }
}

/** Says that every name lives at these addresses, and counts how often it was asked. */
function resolvesTo(...addresses: readonly string[]): { readonly lookup: LookupFunction; count(): number } {
  let count = 0;
  return {
    lookup: (_hostname, _options, callback) => {
      count += 1;
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    },
    count: () => count,
  };
}

describe('a redirect of the upstream', () => {
  it('leads to a store that is configured, without our credential, and back is no way (P-04)', async () => {
    await withWitness(async (store) => {
      const script: Script = (request, socket) => {
        const isSigned = request.headers.some((header) => header.startsWith('authorization: Basic'));
        socket.write(
          isSigned
            ? redirect(`${store.url}/bucket/blob?signature=abc`)
            : answerOf('401 Unauthorized', ['WWW-Authenticate: Basic realm="x"']),
        );
      };
      await withStub(
        script,
        async (source) => {
          const opened = await source.openBlob(repository, blob);
          assert.ok(opened);
          assert.equal((await buffer(opened.stream)).toString(), 'bytes');
          assert.equal(store.requests[0]?.line, 'GET /bucket/blob?signature=abc HTTP/1.1');
          assert.doesNotMatch(store.received(), /authorization/i);
        },
        { redirectOrigins: [store.url], username: 'gate', password: 'secret' },
      );
    });
  });

  it('inside the upstream itself is followed', async () => {
    const script: Script = (request, socket) => {
      socket.write(
        request.line.includes('/moved/') ? answerOf('200 OK', [], 'bytes') : redirect('/moved/blob'),
      );
    };
    await withStub(script, async (source) => {
      assert.deepEqual(await source.findBlob(repository, blob).catch(() => 'head'), { size: 5 });
    });
  });

  for (const location of [
    'http://169.254.169.254/latest/meta-data/',
    'http://WITNESS/',
    'http://localhost:1/',
    'http://127.1:6379/',
    'http://0x7f000001/',
    'http://2130706433/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[fd00::1]/',
    'http://10.1.2.3/',
    'http://store.example/',
    'gopher://127.0.0.1/',
    'file:///etc/passwd',
    'http://user:secret@store.example/',
    'http://',
  ]) {
    it(`to ${location} is a 502 and connects to nobody (P-03)`, async () => {
      await withWitness(async (witness) => {
        const { lookup } = resolvesTo('127.0.0.1');
        const script: Script = (_request, socket) =>
          void socket.write(redirect(location.replace('WITNESS', witness.host)));
        await withStub(
          script,
          async (source) => {
            await assert.rejects(source.openBlob(repository, blob), PROTOCOL);
            assert.equal(witness.received(), '');
          },
          {},
          { lookup },
        );
      });
    });
  }

  it('to a name with one inner address among outer ones is a 502; the name is asked once (P-03)', async () => {
    const names = resolvesTo('192.0.1.1', '10.0.0.1');
    await withStub(
      (_request, socket) => void socket.write(redirect('http://store.example/')),
      async (source) => {
        await assert.rejects(source.openBlob(repository, blob), PROTOCOL);
        assert.equal(names.count(), 1);
      },
      {},
      { lookup: names.lookup },
    );
  });

  it('is followed five times, not six, and a circle ends (P-04)', async () => {
    for (const [hops, isReached] of [
      [5, true],
      [6, false],
      [1000, false],
    ] as const) {
      const script: Script = (request, socket) => {
        socket.write(
          request.index < hops ? redirect(`/hop/${request.index}`) : answerOf('200 OK', [], 'bytes'),
        );
      };
      await withStub(script, async (source, stub) => {
        const found = source.openBlob(repository, blob);
        if (isReached) (await found)?.stream.destroy();
        else await assert.rejects(found, PROTOCOL);
        assert.equal(stub.requests.length, 6);
      });
    }
  });

  it('of a request that changes something is a 502', async () => {
    await withStub(redirect('/elsewhere'), async (source) => {
      await assert.rejects(source.startUpload(repository, 'sha256', 'u1'), PROTOCOL);
      await assert.rejects(source.removeBlob(repository, blob), PROTOCOL);
    });
  });

  it('without Location is a 502', async () => {
    await withStub(answerOf('302 Found'), async (source) => {
      await assert.rejects(source.resolve(repository, tagOf('v1')), PROTOCOL);
    });
  });
});

describe('a redirect from https to http', () => {
  it('is a 502, whatever the address (P-03)', async () => {
    const tls = createTestCertificate();
    const server = createServer({ cert: tls.certificate, key: tls.key }, (_request, response) => {
      response.writeHead(307, { location: 'http://store.example/blob' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address !== 'string');
    const source = createUpstream(
      { url: `https://127.0.0.1:${address.port}`, ca: tls.certificate },
      { clock: systemClock, logger: silentLogger },
    );
    try {
      await assert.rejects(source.openBlob(repository, blob), { ...PROTOCOL, message: /from https to http/ });
    } finally {
      await source.close();
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('an address', () => {
  for (const address of [
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'ff02::1',
    '2001:db8::1',
    'localhost',
    '',
    '1.2.3',
  ]) {
    it(`${JSON.stringify(address)} is reserved (P-03)`, () => assert.equal(isReservedAddress(address), true));
  }
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ]) {
    it(`${address} is not`, () => assert.equal(isReservedAddress(address), false));
  }
});

describe('the resolver of redirects', () => {
  it('hands over outer addresses, one or all as it is asked, and passes errors on', async () => {
    const { lookup } = resolvesTo('1.1.1.1', '8.8.8.8');
    const one = await new Promise((resolve) => {
      publicLookup(lookup)('name', {}, (error, address, family) => resolve({ error, address, family }));
    });
    assert.deepEqual(one, { error: null, address: '1.1.1.1', family: 4 });
    const all = await new Promise((resolve) => {
      publicLookup(lookup)('name', { all: true }, (_error, addresses) => resolve(addresses));
    });
    assert.equal(Array.isArray(all) && all.length, 2);
    const failing: LookupFunction = (_name, _options, callback) => callback(new Error('no such name'), '', 0);
    const error = await new Promise((resolve) => {
      publicLookup(failing)('name', {}, (problem) => resolve(problem));
    });
    assert.match(String(error), /no such name/);
  });
});
