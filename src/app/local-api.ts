import { createConnection } from 'node:net';
import { join } from 'node:path';
import { LOCAL_IDENTITY } from '../auth/index.ts';
import { type Environment, loadConfig } from '../config/index.ts';
import { createLogger, createMetrics } from '../telemetry/index.ts';
import { listenAdmin } from './admin-socket.ts';
import { openHouse } from './house.ts';
import { settleConfig } from './node-config.ts';
import { pathsOf } from './paths.ts';
import { readVersion } from './version.ts';

export interface LocalApi {
  readonly socketPath: string;
  close(): Promise<void>;
}

/**
 * The API over a node's data: that of the server that runs on it, else opened here for as long as one command needs.
 * Opened here, it reads the same configuration file and environment as a server would that is started here.
 *
 * @throws {StartError} the data cannot be opened.
 */
export async function openLocalApi(directory: string, environment: Environment): Promise<LocalApi> {
  const socketPath = pathsOf(directory).adminSocket;
  if (await answers(socketPath)) return { socketPath, close: async () => {} };
  const options = { data: directory };
  const { config } = await loadConfig({ options, environment, directory: process.cwd() });
  const closing = new AsyncDisposableStack();
  try {
    const logger = createLogger({ process: 'cli', level: 'error' });
    const settled = await settleConfig(config);
    const house = await openHouse(
      { config: settled, version: readVersion(), name: 'cli', isServer: false },
      closing,
      { logger, metrics: createMetrics() },
    );
    const path = join(house.paths.run, 'cli.sock');
    const admin = await listenAdmin(path, house.surfaces.api(LOCAL_IDENTITY));
    closing.defer(() => admin.close());
    return { socketPath: path, close: () => closing.disposeAsync() };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
