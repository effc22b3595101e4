import { readHostPort } from './host-port.ts';
import type { Settings } from './schema.ts';
import { exclusive, type Problem, type Secrets } from './secrets.ts';

interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is, after every check. */
export type RedisConfig = (
  | { readonly url: string }
  | { readonly sentinels: readonly HostPort[]; readonly master: string; readonly sentinelPassword?: string }
  | { readonly cluster: readonly HostPort[] }
) & { readonly username?: string; readonly password?: string; readonly tls?: boolean };

const PLACES = ['url', 'sentinels', 'cluster'] as const;
/** Of no use without a place, or beside another one. */
const BELONGING = {
  username: PLACES,
  password: PLACES,
  passwordFile: PLACES,
  sentinelPassword: ['sentinels'],
  sentinelPasswordFile: ['sentinels'],
} as const;

/** What no single key shows. */
export function redisProblems({ redis }: Settings): readonly Problem[] {
  const problems = [
    ...exclusive(redis, ['redis'], 'password'),
    ...exclusive(redis, ['redis'], 'sentinelPassword'),
  ];
  const places = placesOf(redis);
  if (places.length > 1) {
    problems.push({ path: ['redis'], message: `${places.join(' and ')} are given: one of them is meant` });
  }
  for (const key of [
    'username',
    'password',
    'passwordFile',
    'sentinelPassword',
    'sentinelPasswordFile',
  ] as const) {
    const wanted: readonly string[] = BELONGING[key];
    if (redis[key] === undefined || places.some((place) => wanted.includes(place))) continue;
    problems.push({ path: ['redis', key], message: `${wanted.join(' or ')} is missing, ${key} is given` });
  }
  if (redis.tls && redis.url !== undefined && !redis.url.startsWith('rediss:')) {
    problems.push({ path: ['redis', 'tls'], message: 'beside url, write rediss:// there' });
  }
  return problems;
}

/** @throws {StartError} a file that it names cannot be used. */
export async function toRedis({ redis }: Settings, secrets: Secrets): Promise<RedisConfig | undefined> {
  if (placesOf(redis).length === 0) return undefined;
  const password = await secrets.read(redis, ['redis'], 'password');
  const sentinelPassword = await secrets.read(redis, ['redis'], 'sentinelPassword');
  const common = {
    ...(redis.username === undefined ? {} : { username: redis.username }),
    ...(password === undefined ? {} : { password }),
    ...(redis.tls ? { tls: true } : {}),
  };
  if (redis.url !== undefined) return { url: redis.url, ...common };
  if (redis.cluster.length > 0) return { cluster: addressesOf(redis.cluster), ...common };
  return {
    ...{ sentinels: addressesOf(redis.sentinels), master: redis.master },
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...common,
  };
}

function placesOf(redis: Settings['redis']): readonly (typeof PLACES)[number][] {
  return PLACES.filter((place) => redis[place] !== undefined && redis[place].length > 0);
}

function addressesOf(texts: readonly string[]): readonly HostPort[] {
  return texts.flatMap((text) => readHostPort(text) ?? []);
}
