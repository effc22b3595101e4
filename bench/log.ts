import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { verifyLog } from '../src/audit/index.ts';
import { buildLog } from '../test/audit/built-log.ts';
import { startDockgate } from '../test/support/dockgate.ts';
import { buildImage } from '../test/support/image.ts';
import { createPusher } from '../test/support/pusher.ts';
import { run } from '../test/support/run.ts';
import { CONNECTIONS } from './load.ts';
import { cpuSecondsOf, familyOf, type Role, readTicksPerSecond, rolesOf } from './processes.ts';
import { describeMachine, median } from './report.ts';
import { UNLIMITED } from './unlimited.ts';

/**
 * What the access log costs, and how fast it is verified.
 *
 *   node bench/log.ts [--quick]
 *
 * --quick is for a machine that only wants to know that it works: bench/log-results.md stays as it is.
 */
const ACCOUNT = { name: 'bench', password: 'correct-horse-battery-9' };

interface Sizes {
  readonly rounds: number;
  readonly seconds: number;
  readonly records: number;
}

/** One round of one server. */
interface Pulled {
  readonly perSecond: number;
  /** Processor time of a request in microseconds, with what its record cost after the answer. */
  readonly cpuUs: ReadonlyMap<Role, number>;
}

type Durabilities = ReadonlyMap<string, readonly Pulled[]>;

/** Requests a second with each durability, and without a log, in turns. */
async function measureDurability({ rounds, seconds }: Sizes): Promise<Durabilities> {
  const ticksPerSecond = await readTicksPerSecond();
  const withoutLog = `--import ${join(import.meta.dirname, 'without-log.ts')}`;
  const servers = new Map([
    ['disk', await startDockgate({ config: `audit: {durability: disk}\n${UNLIMITED}` })],
    ['os', await startDockgate({ config: `audit: {durability: os}\n${UNLIMITED}` })],
    ['off', await startDockgate({ config: UNLIMITED, environment: { NODE_OPTIONS: withoutLog } })],
  ]);
  const measured = new Map([...servers.keys()].map((name): [string, Pulled[]] => [name, []]));
  try {
    const image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'a', data: 'b' }]] });
    for (const server of servers.values()) {
      await server.addUser(ACCOUNT.name, ACCOUNT.password, ['developer', '**']);
      await createPusher(server, `${ACCOUNT.name}:${ACCOUNT.password}`).push('bench/app', image, '1');
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, server] of servers) {
        const token = await server.token(`${ACCOUNT.name}:${ACCOUNT.password}`, 'repository:bench/app:pull');
        const url = `${server.url}/v2/bench/app/manifests/1`;
        // Held until its scan has ended.
        await server.request('/v2/bench/app/manifests/1', { token });
        const cpu = watchCpu(server.pid, ticksPerSecond);
        const { perSecond, count } = await pull(url, token, seconds);
        // Its log is signed and indexed before the next one's turn, which would pay for it otherwise.
        await cpu.untilIdle();
        measured.get(name)?.push({ perSecond, cpuUs: cpu.microsecondsBy(count) });
      }
    }
  } finally {
    for (const server of servers.values()) await server.remove();
  }
  return measured;
}

async function pull(
  url: string,
  token: string,
  seconds: number,
): Promise<{ readonly perSecond: number; readonly count: number }> {
  const options = ['-t2', `-c${CONNECTIONS}`, `-d${seconds}s`];
  const accept = 'Accept: application/vnd.oci.image.manifest.v1+json';
  const authorization = `Authorization: Bearer ${token}`;
  const { output } = await run('wrk', [...options, '-H', authorization, '-H', accept, url]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  const count = Number(/(\d+) requests in/.exec(output)?.[1]);
  if (!(perSecond > 0 && count > 0) || /Non-2xx|Socket errors/.test(output)) {
    throw new Error(`wrk says\n${output}`);
  }
  return { perSecond, count };
}

/** Processor share below which a server has nothing left to do. */
const IDLE_SHARE = 0.05;
const LOOK_MS = 1000;
const LOOKS_MAX = 60;

function watchCpu(
  pid: number,
  ticksPerSecond: number,
): { untilIdle(): Promise<void>; microsecondsBy(count: number): ReadonlyMap<Role, number> } {
  const roles = rolesOf(familyOf(pid));
  const usedBy = (one: number): number => cpuSecondsOf([one], ticksPerSecond);
  const before = new Map([...roles.keys()].map((one) => [one, usedBy(one)]));
  return {
    async untilIdle() {
      for (let look = 0; look < LOOKS_MAX; look += 1) {
        const used = cpuSecondsOf([...roles.keys()], ticksPerSecond);
        await new Promise((resolve) => {
          setTimeout(resolve, LOOK_MS);
        });
        const share = ((cpuSecondsOf([...roles.keys()], ticksPerSecond) - used) * 1000) / LOOK_MS;
        if (share < IDLE_SHARE) return;
      }
    },
    microsecondsBy(count) {
      const used = new Map<Role, number>();
      for (const [one, role] of roles) {
        const seconds = usedBy(one) - (before.get(one) ?? 0);
        used.set(role, (used.get(role) ?? 0) + (seconds * 1e6) / count);
      }
      return used;
    },
  };
}

interface Verified {
  readonly threads: number;
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

async function measureVerify({ rounds, records }: Sizes): Promise<readonly Verified[]> {
  const log = await buildLog();
  const runs: Verified[] = [];
  try {
    const step = Math.min(50_000, records);
    for (let size = step; size <= records; size += step) await log.growTo(size, () => PULL);
    for (let round = 0; round < rounds; round += 1) {
      for (const threads of new Set([1, availableParallelism()])) {
        const [beganMs, cpu] = [performance.now(), process.cpuUsage()];
        const { isClean } = await verifyLog({ ...log, threads });
        if (!isClean) throw new Error('a log that nobody touched does not verify');
        const seconds = (performance.now() - beganMs) / 1000;
        const { user, system } = process.cpuUsage(cpu);
        runs.push({ threads, perSecond: records / seconds, perCpuSecond: (records * 1e6) / (user + system) });
      }
    }
  } finally {
    await log.end();
  }
  return runs;
}

/** What most records look like: 640 bytes. */
const PULL = {
  principal: {
    kind: 'user',
    id: '019a2b3c4d5e6f708192',
    name: 'alice',
    via: 'token',
    tokenId: 'abcdefghijklmnopqrstuv',
  },
  client: { address: '192.0.2.7', userAgent: 'containers/5.29.2 (github.com/containers/image)' },
  method: 'GET',
  reference: 'latest',
  digest: `sha256:${'a'.repeat(64)}`,
  because: 'developer on **',
  verdict: { outcome: 'allow', reasons: [] },
  isTransfer: true,
} as const;

function printPage(sizes: Sizes, durability: Durabilities, verified: readonly Verified[]): string {
  const machine = describeMachine();
  const middleOf = (rounds: readonly Pulled[]): number => median(rounds.map(({ perSecond }) => perSecond));
  const off = middleOf(durability.get('off') ?? []);
  const rows = [...durability].map(([name, rounds]) => {
    const middle = middleOf(rounds);
    const cpu = (['workers', 'housekeeping', 'primary'] as const).map((role) =>
      median(rounds.map(({ cpuUs }) => cpuUs.get(role) ?? 0)).toFixed(0),
    );
    return `| ${name} | ${middle.toFixed(0)} | ${(middle / off).toFixed(2)} | ${cpu.join(' | ')} |`;
  });
  const speeds = [...new Set(verified.map(({ threads }) => threads))].map((threads) => {
    const of = verified.filter((one) => one.threads === threads);
    const perSecond = median(of.map((one) => one.perSecond));
    const perCpuSecond = median(of.map((one) => one.perCpuSecond));
    return `| ${threads} | ${perSecond.toFixed(0)} | ${perCpuSecond.toFixed(0)} |`;
  });
  return [
    '# What the access log costs',
    '',
    `Written by \`npm run bench\`. Medians of ${sizes.rounds} rounds in turns; server and clients share one machine:`,
    `${machine.processors}, ${machine.memoryGiB} GiB memory, Node ${machine.node}, load average before ${machine.loadBefore.toFixed(1)}.`,
    '',
    `Pulls of a manifest, ${CONNECTIONS} connections, ${sizes.seconds} s (wrk). \`off\` is no setting: the bench takes the log out.`,
    '',
    "The processor time is the server's, µs a request, until its log is signed and indexed.",
    '',
    '| `audit.durability` | requests/s | of off | CPU of the workers | of housekeeping | of the primary |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    `\`audit verify\` of ${sizes.records} records of 640 bytes:`,
    '',
    '| threads | records/s | records a CPU second |',
    '| --- | ---: | ---: |',
    ...speeds,
    '',
  ].join('\n');
}

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const sizes: Sizes = values.quick
  ? { rounds: 1, seconds: 1, records: 50_000 }
  : { rounds: 5, seconds: 5, records: 1_000_000 };
const verified = await measureVerify(sizes);
const page = printPage(sizes, await measureDurability(sizes), verified);
process.stdout.write(page);
if (!values.quick) writeFileSync(join(import.meta.dirname, 'log-results.md'), page);
