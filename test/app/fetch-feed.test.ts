import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFetchFeed } from '../../src/app/fetch-feed.ts';
import { createTestCertificate } from '../support/certificates.ts';

describe('fetching a feed', () => {
  let directory: string;
  let server: Server;
  let origin: string;
  const seen: (string | undefined)[] = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dockgate-fetch-'));
    const { certificate, key } = createTestCertificate();
    writeFileSync(join(directory, 'ca.pem'), certificate);
    const redirects: Readonly<Record<string, string>> = {
      '/current': '/day',
      '/round': '/round',
      '/plain': 'http://127.0.0.1/day',
      '/inside': 'https://10.0.0.1/day',
    };
    server = createServer({ cert: certificate, key }, (request, response) => {
      seen.push(request.headers['if-none-match']);
      const to = redirects[request.url ?? ''];
      if (to !== undefined) response.writeHead(302, { location: to }).end('elsewhere');
      else if (request.url === '/large') response.end(Buffer.alloc(100_000));
      else response.writeHead(200, { etag: '"1"' }).end('scores');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });

  const fetchOf = (more: { readonly allowsPrivate?: boolean; readonly caFile?: string } = {}) => {
    const fetch = createFetchFeed({ allowsPrivate: true, caFile: join(directory, 'ca.pem'), ...more });
    return (path: string) =>
      fetch(path.startsWith('/') ? origin + path : path, {
        headers: { 'if-none-match': '"0"' },
        bytesMax: 50_000,
      });
  };

  it('follows the redirect to the file of the day, asking the same there', async () => {
    seen.length = 0;
    const { status, headers, body } = await fetchOf()('/current');
    assert.deepEqual([status, headers.etag, Buffer.from(body).toString()], [200, '"1"', 'scores']);
    assert.deepEqual(seen, ['"0"', '"0"']);
  });

  for (const [title, path, problem] of [
    ['by plain http', 'http://127.0.0.1/day', /is not https/],
    ['to which a redirect leads by plain http', '/plain', /is not https/],
    ['that redirects for ever', '/round', /more than 5 redirects/],
    ['that is larger than asked for', '/large', /response.*size|exceeded/i],
  ] as const) {
    it(`refuses what comes ${title}`, async () => {
      await assert.rejects(fetchOf()(path), { message: problem });
    });
  }

  it('reaches no address inside our networks unless that is meant', async () => {
    await assert.rejects(fetchOf({ allowsPrivate: false })('/day'), /has a private address/);
    await assert.rejects(fetchOf({ allowsPrivate: false })('https://localhost:1/'), (error: Error) => {
      assert.doesNotMatch(error.message, /ECONNREFUSED/);
      return true;
    });
  });

  it('trusts nobody but the authorities it is told', async () => {
    const other = join(directory, 'other.pem');
    writeFileSync(other, createTestCertificate().certificate);
    await assert.rejects(fetchOf({ caFile: other })('/day'), /certificate/);
  });
});
