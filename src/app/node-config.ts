import { createServer } from 'node:net';
import type { Config } from '../config/index.ts';

/** The configuration with what only a starting node knows: the port it got, and so its address. */
export type NodeConfig = Config;

/** Settles port and address before any process is started, so that all of them speak of the same. */
export async function settleConfig(config: Config): Promise<NodeConfig> {
  if (config.port !== 0) return config;
  const port = await freePort(config.listen);
  // Unless it was set, the address ends in the port that was asked for.
  return { ...config, port, publicUrl: config.publicUrl.replace(/:0$/, `:${port}`) };
}

function freePort(listen: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, listen, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
