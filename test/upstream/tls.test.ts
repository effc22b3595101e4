import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { createManualClock, silentLogger } from '../../src/base/index.ts';
import { createDispatchers } from '../../src/upstream/dispatchers.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { readTarget } from '../../src/upstream/options.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { createTestCertificate } from '../support/certificates.ts';
import { digestOf } from '../support/image.ts';
import { receiveUpload } from '../support/upload-body.ts';

const repository = repositoryOf('team/app');
const tag = tagOf('v1');
const parts = { clock: createManualClock(), logger: silentLogger };

describe('TLS to an upstream', () => {
  const authority = createTestCertificate();
  const client = createTestCertificate({ issuer: authority });
  const shown: string[] = [];
  let upstream: Server;
  let store: Server;

  async function listen(name: string, location: () => string): Promise<Server> {
    // Who shows none is not let in.
    const { certificate: ca, key } = authority;
    const options = { cert: ca, ca, key, requestCert: true };
    const server = createServer(options, (request, response) => {
      const { socket } = request;
      const serial = (socket as TLSSocket).getPeerCertificate().serialNumber;
      shown.push(`${name} ${request.method} ${serial === undefined ? 'nothing' : 'certificate'}`);
      if (name === 'upstream' && request.url?.includes('/blobs/sha')) {
        return void response.writeHead(307, { location: location() }).end();
      }
      request.resume().on('end', () => response.writeHead(404).end());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }

  const urlOf = (server: Server) => {
    const address = server.address();
    assert.ok(address !== null && typeof address !== 'string');
    return `https://127.0.0.1:${address.port}`;
  };

  before(async () => {
    store = await listen('store', () => '');
    upstream = await listen('upstream', () => `${urlOf(store)}/blob`);
  });

  after(() => {
    for (const server of [upstream, store]) {
      server.closeAllConnections();
      server.close();
    }
  });

  it('shows our certificate to the upstream, uploads too, and to nobody else (P-18)', async () => {
    const source = createUpstream(
      {
        url: urlOf(upstream),
        ca: authority.certificate,
        clientCertificate: client.certificate,
        clientKey: client.key,
        redirectOrigins: [urlOf(store)],
      },
      parts,
    );
    try {
      await source.resolve(repository, tag);
      await assert.rejects(source.findBlob(repository, digestOf(Buffer.from('x'))));
      const received = await receiveUpload({ chunks: ['abc'] });
      await source.appendUpload(repository, '/v2/u/1', received.body);
      received.close();
      assert.deepEqual(shown.splice(0), [
        'upstream HEAD certificate',
        'upstream HEAD certificate',
        'upstream PATCH certificate',
      ]);
    } finally {
      await source.close();
    }
  });

  it('is refused by an upstream that another authority vouches for (P-18)', async () => {
    const source = createUpstream({ url: urlOf(upstream), ca: createTestCertificate().certificate }, parts);
    try {
      await assert.rejects(source.resolve(repository, tag), { code: 'DG_UPSTREAM_PROTOCOL', status: 502 });
      assert.deepEqual(shown, []);
    } finally {
      await source.close();
    }
  });

  it('is not begun with half a client certificate', () => {
    assert.throws(() => createUpstream({ url: 'https://host', clientKey: client.key }, parts), {
      name: 'StartError',
    });
  });
});

describe('the token services that need not be configured', () => {
  const hub = readTarget({ url: 'https://registry-1.docker.io' });

  it('are those that vendors document under another name than their registry', () => {
    assert.deepEqual([...hub.realmOrigins], ['https://registry-1.docker.io', 'https://auth.docker.io']);
    assert.deepEqual([...readTarget({ url: 'https://ghcr.io' }).realmOrigins], ['https://ghcr.io']);
    // The same registry under another name may be anybody's.
    assert.deepEqual([...readTarget({ url: 'http://registry-1.docker.io' }).realmOrigins].length, 1);
  });

  it('are reached at a public address only, unless an operator names them (P-01, P-03)', async () => {
    const lookup = (
      _name: string,
      _options: unknown,
      callback: (error: null, addresses: { address: string; family: number }[]) => void,
    ) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const url = new URL('https://auth.docker.io/token');
    const ask = async (target: ReturnType<typeof readTarget>) => {
      const dispatchers = createDispatchers(target, { ...parts, lookup });
      try {
        const request = dispatchers
          .for(url)
          .request({ origin: url.origin, path: url.pathname, method: 'GET' });
        return await request.then(() => 'answered').catch((error: Error) => error.name);
      } finally {
        await dispatchers.close();
      }
    };
    assert.equal(await ask(hub), 'AddressRefused');
  });
});

describe('the password of an upstream', () => {
  for (const options of [
    { username: 'u', password: 'p', passwordFile: '/f' },
    { username: 'u', passwordFile: '/f', passwordCommand: ['c'] },
    { passwordCommand: ['c'] },
    { credentialKind: 'refresh-token' as const },
  ]) {
    it(`is refused as ${JSON.stringify(options)}`, () => {
      assert.throws(() => createUpstream({ url: 'https://host', ...options }, parts), { name: 'StartError' });
    });
  }
});
