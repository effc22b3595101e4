import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type AccessStep, createDirectory, type Identity } from '../src/auth/index.ts';
import { createLocalChanges, silentLogger, systemClock, systemRandom } from '../src/base/index.ts';
import { parseRepository, type Repository } from '../src/oci/index.ts';
import { openStoreReads, openStoreWrites } from '../src/store/index.ts';
import { measureRevocation } from './revocation.ts';

/**
 * Measures what a decision about rights costs, and how fast a right that is taken away is gone.
 *
 *   node bench/access.ts [--quick] [--rounds N] [--elsewhere URL --ca FILE] [--write]
 *
 * --elsewhere: where the refusal is looked for, such as another replica that shares the data; --write: bench/access.md.
 */
const FULL = { principals: 10_000, groups: 2000, grants: 50_000 };
const QUICK = { principals: 500, groups: 100, grants: 2500 };
const GROUPS_OF_EACH = 5;
const TEAMS = 1000;
const WARM_DECISIONS = 20_000;
const STEPS_AT_ONCE = 5000;

type Sizes = typeof FULL;

interface Spread {
  readonly median: number;
  readonly p95: number;
}

interface Decisions {
  readonly warmUs: Spread;
  readonly coldUs: Spread;
  readonly heldBytes: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      elsewhere: { type: 'string' },
      ca: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const sizes = values.quick ? QUICK : FULL;
  const rounds = Number(values.rounds ?? (values.quick ? 5 : 100));
  const decisions = await measureDecisions(sizes);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  say(`decisions: ${JSON.stringify(decisions)}`);
  const elsewhere = values.elsewhere === undefined ? {} : { elsewhere: values.elsewhere };
  const ca = values.ca === undefined ? {} : { ca: readFileSync(values.ca, 'utf8') };
  const revocationMs = spreadOf(await measureRevocation({ rounds, workers: 2, ...elsewhere, ...ca }));
  const page = printPage(sizes, { ...decisions, revocationMs, rounds });
  process.stdout.write(page);
  if (values.write) writeFileSync(join(import.meta.dirname, 'access.md'), page);
}

async function measureDecisions(sizes: Sizes): Promise<Decisions> {
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-access-'));
  try {
    const started = performance.now();
    await fill(directory, sizes);
    process.stderr.write(`filled in ${Math.round((performance.now() - started) / 1000)} s\n`);
    return await decide(directory, sizes);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Each principal in five groups, three of five grants to groups, one of twenty a deny. */
async function fill(directory: string, { principals, groups, grants }: Sizes): Promise<void> {
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const store = await openStoreWrites({ directory }, { ...parts, publish: async () => {} });
  const steps: AccessStep[] = [];
  for (let index = 0; index < principals; index += 1)
    steps.push({ do: 'account.add', account: account(index) });
  for (let index = 0; index < groups; index += 1) {
    steps.push({ do: 'group.add', group: { id: `g${index}`, name: `group-${index}` } });
  }
  for (let index = 0; index < principals * GROUPS_OF_EACH; index += 1) {
    const user = index % principals;
    const group = (user * 7 + Math.floor(index / principals) * 401) % groups;
    steps.push({ do: 'group.join', group: `group-${group}`, user: `user-${user}` });
  }
  for (let index = 0; index < grants; index += 1) {
    const isGroups = index % 5 < 3;
    const subject = isGroups
      ? ({ kind: 'group', name: `group-${index % groups}` } as const)
      : ({ kind: 'user', name: `user-${index % principals}` } as const);
    const effect = index % 20 === 0 ? 'deny' : 'allow';
    const pattern = index % 3 === 0 ? `team-${index % TEAMS}/**` : `team-${index % TEAMS}/app-${index}-*`;
    steps.push({
      do: 'grant.add',
      grant: { role: index % 2 ? 'reader' : 'developer', pattern, subject, effect },
    });
  }
  for (let next = 0; next < steps.length; next += STEPS_AT_ONCE) {
    await store.accounts.applySteps(steps.slice(next, next + STEPS_AT_ONCE));
  }
  await store.close();
}

function account(index: number) {
  const secretHash = 'sha256:0';
  return {
    ...({ kind: 'user', id: `u${index}`, name: `user-${index}`, secretHash } as const),
    ...{ isDisabled: false, notBeforeMs: 0, createdAtMs: 0 },
  };
}

async function decide(directory: string, { principals }: Sizes): Promise<Decisions> {
  const reads = await openStoreReads({ directory }, { logger: silentLogger });
  const accounts = createDirectory(
    { entriesMax: 20_000 },
    { accounts: reads.accounts, changes: createLocalChanges(), clock: systemClock },
  );
  const identities = Array.from({ length: principals }, (_, index): Identity => {
    const { kind, id, name } = account(index);
    return { principal: { kind, id, name }, via: 'basic', scopes: undefined };
  });
  const repositories = Array.from({ length: TEAMS }, (_, index) =>
    repository(`team-${index}/app-${index}-x`),
  );
  const one = async (index: number): Promise<void> => {
    const identity = identities[(index * 7919) % principals];
    const asked = repositories[(index * 31) % TEAMS];
    if (identity && asked) await accounts.can(identity, index % 3 ? 'pull' : 'push', asked);
  };
  const before = heldBytes();
  const cold: number[] = [];
  for (let index = 0; index < principals; index += 1) cold.push(await timedUs(() => one(index)));
  const held = heldBytes() - before;
  // The same rows again, for the compiler; then batches, since one decision is shorter than the clock is fine.
  for (let index = 0; index < WARM_DECISIONS / 10; index += 1) await one(index);
  const warm: number[] = [];
  for (let batch = 0; batch < WARM_DECISIONS / 100; batch += 1) {
    const us = await timedUs(async () => {
      for (let index = batch * 100; index < (batch + 1) * 100; index += 1) await one(index);
    });
    warm.push(us / 100);
  }
  accounts.close();
  await reads.close();
  return { warmUs: spreadOf(warm), coldUs: spreadOf(cold), heldBytes: held };
}

function repository(name: string): Repository {
  const parsed = parseRepository(name);
  if (!parsed) throw new Error(`${name} is no name`);
  return parsed;
}

async function timedUs(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) * 1000;
}

function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { median: at(0.5), p95: at(0.95) };
}

function printPage(
  { principals, groups, grants }: Sizes,
  found: Decisions & { readonly revocationMs: Spread; readonly rounds: number },
): string {
  const row = (name: string, { median, p95 }: Spread, digits: number, target: string) =>
    `| ${name} | ${median.toFixed(digits)} | ${p95.toFixed(digits)} | ${target} |`;
  return `# Rights, measured

Written by \`node bench/access.ts --write\` on ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}.

${principals} principals, ${groups} groups, ${grants} grants; each principal is in ${GROUPS_OF_EACH} groups, which have three of five grants.

|  | median | 95 % | target |
| --- | ---: | ---: | --- |
${row('a decision whose principal is in memory, µs', found.warmUs, 1, 'under 20')}
${row('the first decision about a principal, from SQL, µs', found.coldUs, 0, 'under 1000')}
${row("from the admin's 200 to the last first refusal on eight connections to all workers, ms", found.revocationMs, 1, '95 % under 100')}

- Memory for the access of all ${principals} principals: ${(found.heldBytes / 1024 / 1024).toFixed(1)} MiB, ${(found.heldBytes / principals / 1024).toFixed(1)} KiB each.
- Revocation: ${found.rounds} rounds of a grant removed and given again on a real server with 2 workers; the time has a whole
  request in it, sent when the admin has the answer.
`;
}

await main();
