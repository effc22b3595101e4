import assert from 'node:assert/strict';
import { probeUpstreams } from '../../src/app/probe-upstreams.ts';
import { silentLogger } from '../../src/base/index.ts';
import type { Source } from '../../src/content/index.ts';
import { until } from '../support/until.ts';

describe('the probes of upstreams', () => {
  it('count those that are away until they answer again, and leave the embedded registry alone', async () => {
    let isHealthy = true;
    let isBroken = false;
    let asked = 0;
    const upstream: Partial<Source> = {
      kind: 'upstream',
      async check() {
        asked += 1;
        if (isBroken) throw new Error('a bug');
        return { isHealthy, note: 'it is' };
      },
    };
    const all = [
      { prefix: '', source: upstream as Source },
      { prefix: 'own/', source: { kind: 'origin' } as Source },
    ];
    const probes = probeUpstreams({ all }, { logger: silentLogger }, 5);
    // Asked by a timer that holds no process open: this test must.
    const open = setInterval(() => undefined, 1000);
    try {
      await until(() => asked > 1, 'it is asked');
      assert.equal(probes.away(), 0);
      isHealthy = false;
      await until(() => probes.away() === 1, 'it is away');
      isBroken = true;
      const before = asked;
      await until(() => asked > before + 1, 'a bug ends no probes');
      isBroken = false;
      isHealthy = true;
      await until(() => probes.away() === 0, 'it is back');
    } finally {
      clearInterval(open);
      await probes.stop();
    }
  });
});
