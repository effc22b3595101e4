import { createConnection } from 'node:net';
import { join } from 'node:path';
import { LOCAL_IDENTITY } from '../auth/index.ts';
import { loadConfig } from '../config/index.ts';
import { createLogger } from '../telemetry/index.ts';
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
 *
 * @throws {StartError} the data cannot be opened.
 */
export async function openLocalApi(directory: string): Promise<LocalApi> {
  const socketPath = pathsOf(directory).adminSocket;
  if (await answers(socketPath)) return { socketPath, close: async () => {} };
  const { config } = await loadConfig({
    options: { data: directory },
    environment: {},
    directory: process.cwd(),
  });
  const closing = new AsyncDisposableStack();
  try {
    const logger = createLogger({ process: 'cli', level: 'error' });
    const settled = await settleConfig(config);
    const house = await openHouse({ config: settled, version: readVersion(), name: 'cli' }, closing, logger);
    const admin = await listenAdmin(join(house.paths.run, 'cli.sock'), house.surfaces.api(LOCAL_IDENTITY));
    closing.defer(() => admin.close());
    return { socketPath: join(house.paths.run, 'cli.sock'), close: () => closing.disposeAsync() };
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
