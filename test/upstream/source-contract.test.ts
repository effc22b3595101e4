import { silentLogger, systemClock } from '../../src/base/index.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { sourceContract } from '../contracts/source.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';

sourceContract('docker-registry behind us', async () => {
  const registry = await startDockerRegistry();
  const source = createUpstream({ url: registry.url }, { clock: systemClock, logger: silentLogger });
  return {
    source,
    // docker-registry links a blob to the repository it was pushed to by itself.
    link: async () => {},
    async close() {
      await source.close();
      await registry.stop();
    },
  };
});
