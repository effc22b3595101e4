import { join } from 'node:path';
import { LOCAL_IDENTITY } from '../auth/index.ts';
import { type Environment, loadConfig } from '../config/index.ts';
import { createLogger, createMetrics } from '../telemetry/index.ts';
import { listenAdmin } from './admin-socket.ts';
import { openHouse } from './house.ts';
import { settleConfig } from './node-config.ts';
import { readVersion } from './version.ts';

export interface LocalApi {
  readonly socketPath: string;
  close(): Promise<void>;
}

/**
 * The API over a node's data on which no server runs, for as long as one command needs. It reads the same
 * configuration file and environment as a server would that is started here.
 *
 * @throws {StartError} the data cannot be opened.
 */
export async function openLocalApi(directory: string, environment: Environment): Promise<LocalApi> {
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
