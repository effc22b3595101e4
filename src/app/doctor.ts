import { statfs } from 'node:fs/promises';
import { createConnection } from 'node:net';
import {
  type Clock,
  DAY_MS,
  GiB,
  StartError,
  silentLogger,
  systemClock,
  systemRandom,
} from '../base/index.ts';
import {
  type Config,
  type ConfigOptions,
  dangerousEnvironment,
  type Environment,
  loadConfig,
} from '../config/index.ts';
import { openStoreReads } from '../store/index.ts';
import { openTls } from '../tls/index.ts';
import { createUpstream } from '../upstream/index.ts';
import { certificateNamesOf } from './names.ts';
import { settleConfig } from './node-config.ts';
import { pathsOf } from './paths.ts';

/** One thing that was looked at. */
export interface DoctorCheck {
  readonly name: string;
  readonly isHealthy: boolean;
  readonly text: string;
  /** What to do about it. */
  readonly mend?: string;
}

const DISK_BYTES_MIN = 2 * GiB;
const EXPIRY_MS_MIN = 14 * DAY_MS;

/** Looks at everything that a node needs, without changing any of it. */
export async function runDoctor(
  options: ConfigOptions,
  environment: Environment,
): Promise<readonly DoctorCheck[]> {
  const { config } = await loadConfig({ options, environment, directory: process.cwd() });
  const checks = [
    checkEnvironment(environment),
    check('certificates', () => checkCertificates(config, systemClock)),
    check('database', () => checkDatabase(config)),
    check('disk', () => checkDisk(config)),
    check('server', () => checkServer(config)),
    ...config.upstreams.map((upstream) =>
      check(`upstream ${upstream.prefix || '(all)'}`, () => checkUpstream(upstream)),
    ),
    ...(config.redis ? [check('redis', () => checkRedis(new URL(config.redis?.url ?? '')))] : []),
    check('clock', async () => checkClock(systemClock)),
  ];
  return Promise.all(checks);
}

type Found = Omit<DoctorCheck, 'name'>;

/** A check that breaks is a finding, too. */
async function check(name: string, look: () => Promise<Found>): Promise<DoctorCheck> {
  try {
    return { name, ...(await look()) };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // A StartError says what to do in its own words.
    return {
      name,
      isHealthy: false,
      text,
      ...(error instanceof StartError ? {} : { mend: 'see the message' }),
    };
  }
}

async function checkEnvironment(environment: Environment): Promise<DoctorCheck> {
  const dangers = dangerousEnvironment(environment);
  const name = 'environment';
  if (dangers.length === 0) return { name, isHealthy: true, text: 'no variable weakens the server' };
  const text = dangers.map(({ variable, effect }) => `${variable} ${effect}`).join('; ');
  return {
    name,
    isHealthy: false,
    text,
    mend: `unset ${dangers.map((danger) => danger.variable).join(' ')}`,
  };
}

async function checkCertificates(config: Config, clock: Clock): Promise<Found> {
  const settled = await settleConfig(config);
  const tls = await openTls(
    { directory: config.certsDirectory, ...certificateNamesOf(settled), mayIssue: false },
    { clock, random: systemRandom, logger: silentLogger },
  );
  const { expiresAtMs, missingNames } = tls.status();
  tls.close();
  const until = new Date(expiresAtMs).toISOString();
  if (expiresAtMs - clock.nowMs() < EXPIRY_MS_MIN) {
    return {
      isHealthy: false,
      text: `the certificate ends ${until}`,
      mend: 'renew it, or let the server run: it renews its own',
    };
  }
  if (missingNames.length > 0) {
    const text = `the certificate lacks ${missingNames.join(', ')}`;
    return {
      isHealthy: false,
      text,
      mend: 'restart the server (it re-issues its own), or issue yours with these names',
    };
  }
  return { isHealthy: true, text: `valid until ${until}` };
}

async function checkDatabase(config: Config): Promise<Found> {
  const reads = await openStoreReads({ directory: pathsOf(config.dataDirectory).data });
  try {
    await reads.check();
    return { isHealthy: true, text: 'opens and answers' };
  } finally {
    await reads.close();
  }
}

async function checkDisk(config: Config): Promise<Found> {
  const { bavail, bsize } = await statfs(config.dataDirectory);
  const free = bavail * bsize;
  const text = `${(free / GiB).toFixed(1)} GiB free in ${config.dataDirectory}`;
  return free >= DISK_BYTES_MIN
    ? { isHealthy: true, text }
    : {
        isHealthy: false,
        text,
        mend: 'free space: when the disk is full the access log cannot be written and nothing is served',
      };
}

async function checkServer(config: Config): Promise<Found> {
  const answer = await fetch(`http://${config.ops.address}:${config.ops.port}/readyz`).catch(() => undefined);
  if (!answer)
    return { isHealthy: true, text: `not running (nothing on ${config.ops.address}:${config.ops.port})` };
  return answer.ok
    ? { isHealthy: true, text: 'running and ready' }
    : {
        isHealthy: false,
        text: 'running and not ready',
        mend: 'see its log: most often the access log cannot be written',
      };
}

async function checkUpstream(upstream: Config['upstreams'][number]): Promise<Found> {
  const source = createUpstream(upstream, { clock: systemClock, logger: silentLogger });
  try {
    const { isHealthy, note } = await source.check();
    return isHealthy
      ? { isHealthy, text: note }
      : { isHealthy, text: note, mend: `is ${upstream.url} up, and are its credentials right?` };
  } finally {
    await source.close();
  }
}

function checkRedis(url: URL): Promise<Found> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: url.hostname, port: Number(url.port || 6379), timeout: 2000 });
    const away = (): void => {
      socket.destroy();
      resolve({
        isHealthy: false,
        text: `${url.host} does not answer`,
        mend: 'start Redis; until then verdicts are only slower',
      });
    };
    socket.once('connect', () => {
      socket.destroy();
      resolve({ isHealthy: true, text: `${url.host} accepts connections` });
    });
    socket.once('timeout', away);
    socket.once('error', away);
  });
}

/** Without a time source of our own, only what cannot be true is found. */
function checkClock(clock: Clock): Found {
  const year = new Date(clock.nowMs()).getUTCFullYear();
  const text = new Date(clock.nowMs()).toISOString();
  return year >= 2025 && year < 2100
    ? { isHealthy: true, text }
    : { isHealthy: false, text, mend: 'set the clock: tokens, verdicts and the access log depend on it' };
}
