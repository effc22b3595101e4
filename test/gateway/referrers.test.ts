import assert from 'node:assert/strict';
import { createManualClock } from '../../src/base/index.ts';
import type { Source } from '../../src/content/index.ts';
import { createReferrerImports, createSources } from '../../src/gateway/index.ts';
import type { LoadParts } from '../../src/gateway/load.ts';
import { Fault } from '../../src/oci/index.ts';
import { repositoryOf } from '../contracts/source-bench.ts';
import { buildImage } from '../support/image.ts';
import { startGatewayBench } from './bench.ts';

const AWAY = new Fault('DG_UPSTREAM_UNAVAILABLE', 'UNAVAILABLE', 'the registry does not answer');

describe('referrers of a registry behind us', () => {
  it('are asked for once for a while, by all who want them at the same time', async () => {
    const { digest } = await buildImage();
    const clock = createManualClock();
    let asked = 0;
    const source: Partial<Source> = {
      kind: 'upstream',
      async listReferrers() {
        asked += 1;
        return [];
      },
    };
    const sources = createSources([{ prefix: '', source: source as Source }]);
    const imports = createReferrerImports({ sources, clock } as unknown as LoadParts, 1000);
    const app = repositoryOf('team/app');
    await Promise.all([imports.bring(app, digest), imports.bring(app, digest)]);
    await imports.bring(app, digest);
    assert.equal(asked, 1);
    await imports.bring(repositoryOf('team/other'), digest);
    assert.equal(asked, 2);
    clock.advance(1000);
    await imports.bring(app, digest);
    assert.equal(asked, 3);
  });

  it('are asked for again after a fault', async () => {
    const { digest } = await buildImage();
    let fault: Error | undefined = AWAY;
    const source: Partial<Source> = {
      kind: 'upstream',
      async listReferrers() {
        if (fault) throw fault;
        return [];
      },
    };
    const sources = createSources([{ prefix: '', source: source as Source }]);
    const parts = { sources, clock: createManualClock() } as unknown as LoadParts;
    const imports = createReferrerImports(parts);
    await assert.rejects(imports.bring(repositoryOf('team/app'), digest), AWAY);
    fault = undefined;
    await imports.bring(repositoryOf('team/app'), digest);
  });

  it('are those known while it is away, and no list where none are', async () => {
    const image = await buildImage();
    const known = { ...image, size: 2, kind: 'artifact' as const, annotations: {} };
    for (const found of [[known], []]) {
      const bench = await startGatewayBench({
        referrers: {
          async bring() {
            throw AWAY;
          },
        },
        links: { listReferrers: async () => found },
      });
      try {
        const { status } = await bench.ask('GET', `/v2/team/app/referrers/${image.digest}`);
        assert.equal(status, found.length > 0 ? 200 : 503);
      } finally {
        await bench.close();
      }
    }
  });
});
