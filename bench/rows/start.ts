import { startDockerRegistry } from '../../test/support/docker-registry.ts';
import { startDockgate } from '../../test/support/dockgate.ts';
import { createStraightPusher } from '../../test/support/straight-push.ts';
import type { RowSet } from '../bench.ts';
import { randomImage } from '../supply.ts';

const PULLS_MAX = 200;

export const START: RowSet = {
  id: 'start',
  title: 'From an empty directory to the first pull',
  about:
    'A new server each time, in front of a docker-registry that holds one small image: it makes its certificates, keys and ' +
    'databases, says that it is ready, and is asked for the manifest until it answers 200, which is after it has fetched ' +
    'and scanned the image for the first time.',
  rows: [
    {
      id: 'start',
      label: 'from the start of the process',
      metrics: [
        { id: 'pullSeconds', label: 'first pull answered, s', digits: 2, isLowBetter: true },
        { id: 'readySeconds', label: 'ready, s', digits: 2, isLowBetter: true },
      ],
    },
  ],
  async run(bench) {
    const registry = await startDockerRegistry();
    try {
      const image = await randomImage(2, 4096);
      await createStraightPusher(registry.url).push('bench/first', image, '1');
      for (let time = 0; time < (bench.isQuick ? 1 : 5); time += 1) {
        const startedMs = performance.now();
        const passed = () => (performance.now() - startedMs) / 1000;
        const config = `upstreams:\n  - prefix: ""\n    url: ${registry.url}\n`;
        const server = await startDockgate({ config });
        const readySeconds = passed();
        const basic = `admin:${server.adminPassword}`;
        let status = 0;
        for (let asked = 0; status !== 200 && asked < PULLS_MAX; asked += 1)
          ({ status } = await server.request('/v2/bench/first/manifests/1', { basic }));
        const pullSeconds = passed();
        await server.remove();
        if (status !== 200) throw new Error(`the first pull was answered ${status}`);
        bench.add({ row: 'start', column: 'dockgate', values: { pullSeconds, readySeconds } });
      }
    } finally {
      await registry.stop();
    }
  },
};
