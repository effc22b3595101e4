import { StartError, systemClock } from '../base/index.ts';
import {
  type Config,
  type ConfigOptions,
  dangerousEnvironment,
  type Environment,
  loadConfig,
} from '../config/index.ts';
import {
  checkCertificates,
  checkClock,
  checkDatabase,
  checkDisk,
  checkRedis,
  checkRights,
  checkServer,
  checkUpstream,
  type Found,
} from './doctor-checks.ts';

/** One thing that was looked at. */
export interface DoctorCheck {
  readonly name: string;
  readonly isHealthy: boolean;
  readonly text: string;
  /** What to do about it. */
  readonly mend?: string;
}

/** Looks at everything that a node needs, without changing any of it. */
export async function runDoctor(
  options: ConfigOptions,
  environment: Environment,
): Promise<readonly DoctorCheck[]> {
  const first = [check('environment', async () => checkEnvironment(environment))];
  try {
    const { config } = await loadConfig({ options, environment, directory: process.cwd() });
    return await Promise.all([...first, ...checksOf(config)]);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const text = 'cannot be used, so nothing else was looked at';
    const checks = [...first, { name: 'configuration', isHealthy: false, text, mend: error.message }];
    return Promise.all(checks);
  }
}

function checksOf(config: Config): readonly Promise<DoctorCheck>[] {
  const { redis } = config;
  const clock = systemClock;
  return [
    check('configuration', async () => ({ isHealthy: true, text: config.file ?? 'no file: defaults' })),
    check('certificates', () => checkCertificates(config, clock)),
    check('database', () => checkDatabase(config)),
    check('rights', () => checkRights(config)),
    check('disk', () => checkDisk(config)),
    check('server', () => checkServer(config)),
    ...config.upstreams.map((upstream) =>
      check(`upstream ${upstream.prefix || '(all)'}`, () => checkUpstream(upstream, clock)),
    ),
    ...(redis ? [check('redis', () => checkRedis(redis, clock))] : []),
    check('clock', () => checkClock(config, clock)),
  ];
}

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

function checkEnvironment(environment: Environment): Found {
  const dangers = dangerousEnvironment(environment);
  if (dangers.length === 0) return { isHealthy: true, text: 'no variable weakens the server' };
  const text = dangers.map(({ variable, effect }) => `${variable} ${effect}`).join('; ');
  const mend = `unset ${dangers.map(({ variable }) => variable).join(' ')}`;
  if (dangers.some(({ isFatal }) => isFatal)) return { isHealthy: false, text, mend };
  return { isHealthy: true, text, mend: `${mend}, unless it is meant` };
}
