import assert from 'node:assert/strict';
import type { Source } from '../../src/content/index.ts';
import { createSources } from '../../src/gateway/index.ts';
import { repositoryOf } from '../contracts/source-bench.ts';
import { type GatewayBench, startGatewayBench } from './bench.ts';

const asked: string[] = [];

/** One registry for Docker Hub below `hub/`, read-only, and one of our own; both say what they were asked. */
function registries(names: { readonly mirrorDefault: boolean }) {
  const source = (name: string) =>
    ({
      resolve: async (repository: string) => void asked.push(`${name} ${repository}`),
      readManifest: async () => undefined,
      findBlob: async () => undefined,
      listTags: async (repository: string) => void asked.push(`${name} ${repository}`),
    }) as unknown as Source;
  return createSources([
    {
      prefix: 'hub/',
      source: source('hub'),
      mirrors: ['docker.io'],
      isReadOnly: true,
      isMirrorDefault: names.mirrorDefault,
    },
    { prefix: 'own/', source: source('own') },
  ]);
}

describe('a client that uses the gateway as a mirror', () => {
  let bench: GatewayBench;
  const rights: string[] = [];

  before(async () => {
    bench = await startGatewayBench({
      sources: registries({ mirrorDefault: true }),
      links: { findManifest: async () => undefined },
      directory: {
        can: async (_identity, action, repository) => {
          rights.push(`${action} ${repository}`);
          return { isAllowed: true, because: 'local' };
        },
      },
    });
  });

  after(() => bench.close());

  beforeEach(() => {
    asked.splice(0);
    rights.splice(0);
  });

  it('names the registry it means (containerd), and is judged by the name with its prefix', async () => {
    const answer = await bench.ask('GET', '/v2/library/alpine/manifests/latest?ns=docker.io');
    assert.equal(answer.status, 404);
    assert.deepEqual(asked, ['hub library/alpine']);
    assert.deepEqual(rights, ['pull hub/library/alpine']);
    assert.equal(bench.records.at(-1)?.repository, 'hub/library/alpine');
    assert.equal(answer.headers['oci-namespace'], 'docker.io');
  });

  it('means another repository where the name begins with the prefix already', async () => {
    await bench.ask('GET', '/v2/hub/alpine/manifests/latest?ns=docker.io');
    assert.deepEqual(asked, ['hub hub/alpine']);
    assert.deepEqual(rights, ['pull hub/hub/alpine']);
  });

  it('is told so, and asks nobody, where nothing mirrors the registry', async () => {
    for (const ns of ['quay.io', 'docker.io.evil', '', 'a%20b%22c']) {
      const answer = await bench.ask('GET', `/v2/library/alpine/manifests/latest?ns=${ns}`);
      assert.equal(answer.status, 404);
      assert.match(
        answer.body,
        /NAME_UNKNOWN.*nothing here mirrors (quay\.io|docker\.io\.evil|that registry);/,
      );
      assert.equal(bench.records.at(-1)?.reason, 'mirror.unknown');
    }
    assert.deepEqual([asked, rights], [[], []]);
  });

  it('may not know that it does (docker): a plain name is of the default, a prefix stays one', async () => {
    await bench.ask('GET', '/v2/library/alpine/manifests/latest');
    await bench.ask('GET', '/v2/own/app/manifests/latest');
    await bench.ask('GET', '/v2/hub/library/alpine/tags/list');
    assert.deepEqual(asked, ['hub library/alpine', 'own app', 'hub library/alpine']);
    assert.deepEqual(rights, ['pull hub/library/alpine', 'pull own/app', 'list hub/library/alpine']);
  });

  it('is told plainly that it can push and delete nothing there, by whatever name', async () => {
    for (const [method, path] of [
      ['POST', '/v2/hub/library/alpine/blobs/uploads/'],
      ['POST', '/v2/library/alpine/blobs/uploads/'],
      ['POST', '/v2/library/alpine/blobs/uploads/?ns=docker.io'],
      ['PUT', '/v2/hub/library/alpine/manifests/latest'],
      ['DELETE', '/v2/hub/library/alpine/manifests/latest'],
    ] as const) {
      const answer = await bench.ask(method, path);
      assert.equal(answer.status, 403, path);
      assert.match(
        answer.body,
        /"DENIED".*hub\/library\/alpine mirrors another registry and is read-only here/,
      );
      assert.equal(bench.records.at(-1)?.reason, 'upstream.read-only');
    }
    assert.deepEqual(asked, []);
  });
});

describe('a plain name without a default mirror', () => {
  it('stays what it is', () => {
    const sources = registries({ mirrorDefault: false });
    const name = repositoryOf('library/alpine');
    assert.equal(sources.nameOf(name), name);
    assert.equal(sources.locate(name), undefined);
  });

  it('is not lengthened beyond what a name may have', () => {
    const sources = registries({ mirrorDefault: true });
    const name = repositoryOf(`a${'/a'.repeat(120)}/abcdefghi`);
    assert.equal(sources.nameOf(name, 'docker.io') ?? name, sources.nameOf(name));
  });
});
