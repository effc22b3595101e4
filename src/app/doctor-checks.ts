import { existsSync } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import {
  type Clock,
  DAY_MS,
  GiB,
  MINUTE_MS,
  SECOND_MS,
  StartError,
  silentLogger,
  systemRandom,
} from '../base/index.ts';
import { openRedis } from '../cluster/index.ts';
import type { Config } from '../config/index.ts';
import { openStoreReads } from '../store/index.ts';
import { openTls } from '../tls/index.ts';
import { createUpstream } from '../upstream/index.ts';
import { isAnswered } from './admin-socket.ts';
import { certificateNamesOf } from './names.ts';
import { pathsOf } from './paths.ts';
import { storeOptions } from './store-options.ts';

/** What one look found. */
export interface Found {
  readonly isHealthy: boolean;
  readonly text: string;
  /** What to do about it. On something healthy it is advice. */
  readonly mend?: string;
}

const DISK_BYTES_MIN = 2 * GiB;
const EXPIRY_MS_MIN = 14 * DAY_MS;
const AHEAD_MS_MAX = MINUTE_MS;
const ANSWER_MS_MAX = 3 * SECOND_MS;
const POLL_MS = 20;
const FIRST_START = 'start the server once: it makes what is missing';

export async function checkCertificates(config: Config, clock: Clock): Promise<Found> {
  const { certsDirectory: directory } = config;
  if (!existsSync(join(directory, 'server.crt'))) {
    return { isHealthy: false, text: `there is no server.crt in ${directory}`, mend: FIRST_START };
  }
  const tls = await openTls(
    { directory, ...certificateNamesOf(config), mayIssue: false },
    { clock, random: systemRandom, logger: silentLogger },
  );
  const { expiresAtMs, missingNames } = tls.status();
  tls.close();
  const until = new Date(expiresAtMs).toISOString();
  if (expiresAtMs - clock.nowMs() < EXPIRY_MS_MIN) {
    const verb = expiresAtMs <= clock.nowMs() ? 'ended' : 'ends';
    const mend = 'renew it, or let the server run: it renews what it has issued itself';
    return { isHealthy: false, text: `the certificate ${verb} ${until}`, mend };
  }
  if (missingNames.length === 0) return { isHealthy: true, text: `valid until ${until}` };
  return {
    isHealthy: false,
    text: `the certificate lacks ${missingNames.join(', ')}`,
    mend: 'restart the server (it re-issues its own), or issue yours with these names',
  };
}

export async function checkDatabase(config: Config): Promise<Found> {
  if (!config.postgres && !existsSync(config.databasePath)) {
    return { isHealthy: false, text: `there is no ${config.databasePath}`, mend: FIRST_START };
  }
  const reads = await openStoreReads(storeOptions(config), { logger: silentLogger });
  try {
    await reads.check();
    return { isHealthy: true, text: 'opens and answers' };
  } finally {
    await reads.close();
  }
}

/** Files that hold keys, passwords or what the access log says; threat S-01. */
export async function checkRights(config: Config): Promise<Found> {
  const paths = pathsOf(config.dataDirectory);
  const certificateKeys = ['ca.key', 'server.key'].map((name) => join(config.certsDirectory, name));
  const candidates = [
    ...[paths.data, paths.keys, paths.tokenKeys, paths.run, paths.audit, paths.adminPassword],
    ...[
      config.databasePath,
      ...certificateKeys,
      ...(await filesIn(paths.keys)),
      ...(await filesIn(paths.tokenKeys)),
    ],
  ];
  const open: string[] = [];
  for (const path of candidates) {
    const found = await stat(path).catch(() => undefined);
    if (found && (found.mode & 0o077) !== 0) open.push(path);
  }
  if (open.length === 0)
    return { isHealthy: true, text: 'keys, databases and log are for their owner alone' };
  return {
    isHealthy: false,
    text: `others may read or enter ${open.join(', ')}`,
    mend: `chmod go= ${open.join(' ')}; if others use this machine, make new keys`,
  };
}

async function filesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.map((name) => join(directory, name));
}

export async function checkDisk(config: Config): Promise<Found> {
  // Before the first start the directory is not there; its parent is on the disk that will hold it.
  let directory = config.dataDirectory;
  while (!existsSync(directory)) directory = dirname(directory);
  const { bavail, bsize } = await statfs(directory);
  return judgeDisk(bavail * bsize, directory);
}

/** @param free in bytes. */
export function judgeDisk(free: number, directory: string): Found {
  const text = `${(free / GiB).toFixed(1)} GiB free in ${directory}`;
  if (free >= DISK_BYTES_MIN) return { isHealthy: true, text };
  const mend = 'free space: when the disk is full the access log cannot be written and nothing is served';
  return { isHealthy: false, text, mend };
}

export async function checkServer({ ops, dataDirectory }: Config): Promise<Found> {
  const host = ops.address.includes(':') ? `[${ops.address}]` : ops.address;
  const where = `${host}:${ops.port}`;
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch(`http://${where}/readyz`, { signal }).catch((error: unknown) => error);
  if (answer instanceof Response) {
    if (answer.ok) return { isHealthy: true, text: 'running and ready' };
    const mend = 'see its log: most often the access log cannot be written';
    return { isHealthy: false, text: 'running and not ready', mend };
  }
  if (signal.aborted) {
    return { isHealthy: false, text: `${where} does not answer in time`, mend: 'restart the server' };
  }
  if (await isAnswered(pathsOf(dataDirectory).adminSocket)) {
    const text = `running on this data, but nothing answers on ${where}`;
    return { isHealthy: true, text, mend: 'name the --ops-port that it was started with' };
  }
  return { isHealthy: true, text: `not running (nothing on ${where})` };
}

export async function checkUpstream(upstream: Config['upstreams'][number], clock: Clock): Promise<Found> {
  const source = createUpstream(upstream, { clock, logger: silentLogger });
  try {
    const { isHealthy, note } = await source.check();
    if (isHealthy) return { isHealthy, text: note };
    return { isHealthy, text: note, mend: `is ${upstream.url} up, and are its credentials right?` };
  } finally {
    await source.close();
  }
}

/** Signs in as the server does: a port that is open says nothing about the password. */
export async function checkRedis(redis: NonNullable<Config['redis']>, clock: Clock): Promise<Found> {
  const host = redisName(redis);
  let reason = 'no answer in time';
  const logger = {
    ...silentLogger,
    warn: (_message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      reason = String(fields.reason ?? reason);
    },
  };
  // The key seals what is stored; nothing is.
  const opened = openRedis(redis, { hmacKey: systemRandom.bytes(32), random: systemRandom, clock, logger });
  try {
    const endMs = clock.monotonicMs() + ANSWER_MS_MAX;
    while (!opened.isAvailable() && clock.monotonicMs() < endMs) await passing(POLL_MS);
    if (opened.isAvailable()) return { isHealthy: true, text: `${host} answers` };
  } finally {
    opened.close();
  }
  const mend = 'start Redis, or mend its address and password; until then verdicts are only slower';
  return { isHealthy: false, text: `${host} cannot be used: ${reason}`, mend };
}

function redisName(redis: NonNullable<Config['redis']>): string {
  if ('url' in redis) return new URL(redis.url).host;
  if ('sentinels' in redis) return `${redis.master} of ${redis.sentinels.length} sentinels`;
  return `the cluster of ${redis.cluster.map(({ host, port }) => `${host}:${port}`).join(', ')}`;
}

/** Without a time source of our own, only what cannot be true is found. */
export async function checkClock(config: Config, clock: Clock): Promise<Found> {
  const nowMs = clock.nowMs();
  const text = new Date(nowMs).toISOString();
  const mend = 'set the clock: tokens, verdicts and the access log depend on it';
  const year = new Date(nowMs).getUTCFullYear();
  if (year < 2025 || year >= 2100) return { isHealthy: false, text, mend };
  const newestMs = await newestRecordMs(config);
  if (newestMs === undefined || newestMs <= nowMs + AHEAD_MS_MAX) return { isHealthy: true, text };
  const newest = new Date(newestMs).toISOString();
  return { isHealthy: false, text: `it is ${text}, and the newest access record says ${newest}`, mend };
}

async function newestRecordMs(config: Config): Promise<number | undefined> {
  try {
    const reads = await openStoreReads(storeOptions(config), { logger: silentLogger });
    try {
      const [newest] = (await reads.recordIndex.search({ limit: 1 })).records;
      return newest && Date.parse(newest.record.time);
    } finally {
      await reads.close();
    }
  } catch (error) {
    // The check of the database says what is wrong with it.
    if (error instanceof StartError) return undefined;
    throw error;
  }
}
