import { silentLogger, systemClock } from '../../src/base/index.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { sourceContract } from '../contracts/source.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { benchOf } from './bench.ts';

sourceContract('upstream, a docker-registry', async () => {
  const registry = await startDockerRegistry();
  const source = createUpstream({ url: registry.url }, { clock: systemClock, logger: silentLogger });
  return {
    ...benchOf(source),
    async close() {
      await source.close();
      await registry.stop();
    },
  };
});
