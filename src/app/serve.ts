import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Logger, StartError, systemClock } from '../base/index.ts';
import { type ConfigOptions, dangerousEnvironment, type Environment, loadConfig } from '../config/index.ts';
import { createLogger } from '../telemetry/index.ts';
import { printBanner } from './banner.ts';
import type { FirstAdmin } from './first-admin.ts';
import type { ChildMessage, StartMessage, TrustMessage } from './messages.ts';
import { type NodeConfig, settleConfig } from './node-config.ts';
import { pathsOf } from './paths.ts';
import { reloadTrust } from './reload-trust.ts';
import { type Supervised, supervise } from './supervise.ts';
import { readVersion } from './version.ts';

/** http-proxy calls util._extend at each request, which nobody who runs the server can change. */
const NODE_ARGUMENTS = [...process.execArgv, '--disable-warning=DEP0060'];
const HOUSE_GRACE_MS = 10_000;
/** A terminal and the launcher both pass on one Ctrl-C; what follows so soon is not a second one. */
const SAME_SIGNAL_MS = 500;

/**
 * Runs a node: the housekeeping process, then the workers, and watches over them. Returns when it serves; the process
 * then lives until a signal ends it.
 *
 * @throws {StartError} what the operator must mend.
 */
export async function serve(options: ConfigOptions, environment: Environment): Promise<void> {
  const { config: loaded } = await loadConfig({ options, environment, directory: process.cwd() });
  const config = await settleConfig(loaded);
  const version = readVersion();
  const parts = { logger: createLogger({ process: 'primary', level: config.logLevel }) };
  refuseDangers(environment, parts.logger);

  let firstAdmin: FirstAdmin | undefined;
  // Workers load their program meanwhile, and begin when there is a house that makes keys and tables.
  const housed = Promise.withResolvers<void>();
  // A process that is started later begins with whom the operator trusts by then.
  let { trust } = config;
  const startOf = (name: string) => (): StartMessage => ({
    ...{ kind: 'start', version, name },
    config: { ...config, trust },
  });
  const house = superviseHouse(startOf('house'), parts, (ready) => {
    firstAdmin = ready.firstAdmin;
    housed.resolve();
  });
  const workers = Array.from({ length: config.workers }, (_, index) =>
    superviseWorker(startOf(`w${index}`), parts, housed.promise),
  );
  const stop = () => stopAll([house, ...workers], config.limits.drainMsMax);
  stopOnSignals(stop, parts.logger);
  process.on('SIGHUP', async () => {
    // A terminal that was closed sends it as well: nobody is there any more.
    if (process.stdout.isTTY) return void process.kill(process.pid, 'SIGTERM');
    const load = () => loadConfig({ options, environment, directory: process.cwd() });
    trust = (await reloadTrust(async () => (await load()).config, parts)) ?? trust;
    for (const child of [house, ...workers]) child.tell({ kind: 'trust', trust });
  });
  try {
    await Promise.all([house, ...workers].map((one) => one.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  process.stdout.write(`${bannerOf(config, firstAdmin)}\nready ${config.publicUrl}\n`);
}

/** Some variables weaken what the configuration says; with the worst of them nothing starts (threat P-19). */
function refuseDangers(environment: Environment, logger: Logger): void {
  for (const { variable, effect, isFatal } of dangerousEnvironment(environment)) {
    if (isFatal) throw new StartError(`${variable} ${effect}: unset it`);
    logger.warn(`the environment variable ${variable} ${effect}`);
  }
}

interface Parts {
  readonly logger: Logger;
}

function superviseHouse(
  startOf: () => StartMessage,
  parts: Parts,
  onReady: (message: ChildMessage & { readonly kind: 'ready' }) => void,
): Supervised {
  const file = programOf('housekeeping-process');
  const spawn = () => {
    const child = fork(file, { serialization: 'advanced', execArgv: NODE_ARGUMENTS });
    return { child, ready: readyOf(child, startOf).then(onReady) };
  };
  return supervise({ name: startOf().name, spawn }, parts);
}

function superviseWorker(startOf: () => StartMessage, parts: Parts, housed: Promise<void>): Supervised {
  const exec = programOf('worker-process');
  cluster.setupPrimary({ exec, serialization: 'advanced', execArgv: NODE_ARGUMENTS });
  const spawn = () => {
    const worker = cluster.fork();
    // Said again by its process, where it is heard.
    worker.on('error', () => {});
    return { child: worker.process, ready: readyOf(worker.process, startOf, housed).then(() => {}) };
  };
  return supervise({ name: startOf().name, spawn }, parts);
}

/** The file of a child process, in whichever language this one runs. */
function programOf(name: string): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url));
}

/** Sends the start message, `after` which the child may begin, and waits for its answer. */
function readyOf(
  child: ChildProcess,
  startOf: () => StartMessage,
  after: Promise<void> = Promise.resolve(),
): Promise<ChildMessage & { readonly kind: 'ready' }> {
  let start = startOf();
  return new Promise((resolve, reject) => {
    // It could not be started, or ended before it heard its first message.
    child.once('error', (error) => reject(new StartError(`${start.name}: ${error.message}`)));
    child.once('exit', (code, signal) => {
      reject(new StartError(`${start.name} ended before it was ready (${signal ?? `exit code ${code}`})`));
    });
    child.once('error', (error) => {
      reject(new StartError(`${start.name} could not be started (${error.message})`));
    });
    child.on('message', (message: ChildMessage) => {
      if (message.kind === 'ready') {
        // It heard nothing while it opened.
        const { trust } = startOf().config;
        if (trust !== start.config.trust)
          child.send({ kind: 'trust', trust } satisfies TrustMessage, () => {});
        resolve(message);
      } else if (message.kind === 'failed') reject(new StartError(message.message));
    });
    // One that has ended meanwhile has said so above.
    after
      .then(() => {
        start = startOf();
        if (child.connected) child.send(start, () => {});
      })
      .catch(reject);
  });
}

/** Workers first, so that they can still write what they have begun; then the process that writes for them. */
async function stopAll([house, ...workers]: readonly Supervised[], graceMs: number): Promise<void> {
  house?.tell({ kind: 'drain' });
  await Promise.all(workers.map((worker) => worker.stop(graceMs)));
  await house?.stop(HOUSE_GRACE_MS);
}

function stopOnSignals(stop: () => Promise<void>, logger: Logger): void {
  let endingSinceMs: number | undefined;
  const end = (): void => {
    const nowMs = systemClock.monotonicMs();
    if (endingSinceMs !== undefined) {
      if (nowMs - endingSinceMs > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    endingSinceMs = nowMs;
    logger.info(
      'stopping: transfers under way may end, new connections are refused; a second signal ends them',
    );
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

function bannerOf(config: NodeConfig, firstAdmin: FirstAdmin | undefined): string {
  const address = config.ops.address.includes(':') ? `[${config.ops.address}]` : config.ops.address;
  const caPath = join(config.certsDirectory, 'ca.crt');
  const passwordPath = pathsOf(config.dataDirectory).adminPassword;
  return printBanner({
    publicUrl: config.publicUrl,
    caPath: existsSync(caPath) ? caPath : undefined,
    passwordPath: existsSync(passwordPath) ? passwordPath : undefined,
    dataDirectory: config.dataDirectory,
    opsAddress: `${address}:${config.ops.port}`,
    registries:
      config.upstreams.length === 0
        ? ['its embedded registry']
        : config.upstreams.map(({ prefix, url }) => (prefix === '' ? url : `${url} (${prefix})`)),
    firstAdmin,
  });
}
