import { createServer } from 'node:net';
import type { Config } from '../config/index.ts';

/** The configuration with what only a starting node knows: the port it got, and so its address. */
export type NodeConfig = Omit<Config, 'publicUrl'> & { readonly publicUrl: string };

/** Settles port and address before any process is started, so that all of them speak of the same. */
export async function settleConfig(config: Config): Promise<NodeConfig> {
  const port = config.port === 0 ? await freePort(config.listen) : config.port;
  const suffix = port === 443 ? '' : `:${port}`;
  return { ...config, port, publicUrl: config.publicUrl ?? `https://localhost${suffix}` };
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
