import { LOCAL_IDENTITY } from '../auth/index.ts';
import { systemClock, systemRandom } from '../base/index.ts';
import { createLogger, createMetrics, serveOps } from '../telemetry/index.ts';
import { openTls } from '../tls/index.ts';
import { listenAdmin } from './admin-socket.ts';
import { openHouse } from './house.ts';
import { onDrain } from './messages.ts';
import { certificateNamesOf } from './names.ts';
import { runChild } from './run-child.ts';
import { takeUpTrust } from './take-up-trust.ts';

const REPORT_EVERY_MS = 5000;

/** The process that writes SQL, scans, signs the access log, renews the certificate, and answers CLI and operators. */
await runChild(async ({ config, version, name }, closing) => {
  const logger = createLogger({ process: name, level: config.logLevel });
  const tls = await openTls(
    { directory: config.certsDirectory, ...certificateNamesOf(config), mayIssue: true },
    { clock: systemClock, random: systemRandom, logger },
  );
  closing.defer(() => tls.close());
  const metrics = createMetrics();
  const house = await openHouse({ config, version, name, isServer: true }, closing, { logger, metrics });
  takeUpTrust(house.surfaces, { logger });
  const admin = await listenAdmin(house.paths.adminSocket, house.surfaces.api(LOCAL_IDENTITY));
  closing.defer(() => admin.close());

  const report = async (): Promise<void> => house.hub.report(name, await metrics.snapshot());
  await report();
  // A failed report is followed by another.
  const timer = setInterval(() => void report().catch(() => {}), REPORT_EVERY_MS);
  closing.defer(() => clearInterval(timer));
  let isDraining = false;
  onDrain(() => {
    isDraining = true;
  });
  const ops = await serveOps(config.ops, {
    metrics: () => house.hub.print(),
    isHealthy: () => true,
    isReady: () => !isDraining && house.isReady(),
    logger,
  });
  closing.defer(() => ops.close());
  return { firstAdmin: house.firstAdmin };
});
