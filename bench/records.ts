import { createHash } from 'node:crypto';
import type { AccessRecord, IndexedRecord } from '../src/audit/index.ts';

/** As a company has them: few people do much, few images are pulled often, some things are refused. */
const DAYS = 90;
const START_MS = Date.UTC(2026, 0, 1);
const USERS = 2000;
const REPOSITORIES = 500;
const IMAGES = 50_000;
const ADDRESSES = 5000;

/** The record number `index` of `count`; the same each time. Time runs evenly over 90 days. */
export function recordAt(index: number, count: number): IndexedRecord {
  const random = spread(index);
  const image = skewed(random(), IMAGES);
  const repository = `team${image % 50}/app${image % REPOSITORIES}`;
  const timeMs = START_MS + Math.floor((index / count) * DAYS * 86_400_000);
  const user = skewed(random(), USERS);
  const record: AccessRecord = {
    v: 1,
    id: idOf(random),
    time: `${new Date(timeMs).toISOString().slice(0, -1)}${String(index % 1000).padStart(3, '0')}Z`,
    ...{ node: 'node1', writer: `worker${index % 4}`, seq: Math.floor(index / 4) + 1 },
    ...{ kind: 'decision', requestId: idOf(random) },
    ...answerOf(random(), digestOf(image), repository),
    principal: {
      kind: 'user',
      id: `id-${user}`,
      name: `user${user}`,
      via: 'token',
      tokenId: `token-of-user-${user}`,
    },
    client: {
      address: `10.0.${Math.floor(skewed(random(), ADDRESSES) / 250)}.${skewed(random(), 250)}`,
      userAgent: 'containerd/v2.0.0',
    },
    method: 'GET',
    because: 'developer on team/**',
  };
  return { index, record };
}

function answerOf(chance: number, digest: string, repository: string) {
  if (chance < 0.05) return { action: 'sign-in', outcome: 'allowed', status: 200 } as const;
  if (chance < 0.06) {
    return { action: 'sign-in', outcome: 'refused', status: 401, reason: 'sign-in.password' } as const;
  }
  if (chance < 0.061) {
    return { action: 'sign-in', outcome: 'refused', status: 429, reason: 'limit.sign-in' } as const;
  }
  const subject = { repository, reference: digest, digest };
  if (chance < 0.08) {
    const reasons = [{ policy: 'default', rule: 'vulnerabilities', findings: ['CVE-2026-1234'] }];
    const verdict = { outcome: 'block', reasons };
    const refused = { outcome: 'refused', status: 403, reason: 'policy.vulnerabilities' } as const;
    return { action: 'pull', ...refused, ...subject, verdict };
  }
  if (chance < 0.15) return { action: 'push', outcome: 'allowed', status: 201, ...subject } as const;
  const verdict = { outcome: 'allow', reasons: [] };
  return { action: 'pull', outcome: 'allowed', status: 200, ...subject, verdict } as const;
}

const digests = new Map<number, string>();

function digestOf(image: number): string {
  const known = digests.get(image);
  if (known !== undefined) return known;
  const digest = `sha256:${createHash('sha256').update(`image ${image}`).digest('hex')}`;
  digests.set(image, digest);
  return digest;
}

/** 26 characters, as identifiers have, in no order. */
function idOf(random: () => number): string {
  const part = () =>
    Math.floor(random() * 36 ** 7)
      .toString(36)
      .padStart(7, '0');
  return `${part()}${part()}${part()}${part()}`.slice(0, 26);
}

/** Numbers from 0 to 1 that hang on the seed alone (mulberry32). */
function spread(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Small numbers are frequent, large ones rare. */
function skewed(chance: number, count: number): number {
  return Math.floor(chance ** 3 * count);
}
