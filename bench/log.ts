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

/** Requests a second with each durability, and without a log, in turns. */
async function measureDurability({
  rounds,
  seconds,
}: Sizes): Promise<ReadonlyMap<string, readonly number[]>> {
  const withoutLog = `--import ${join(import.meta.dirname, 'without-log.ts')}`;
  const servers = new Map([
    ['disk', await startDockgate({ config: `audit: {durability: disk}\n${UNLIMITED}` })],
    ['os', await startDockgate({ config: `audit: {durability: os}\n${UNLIMITED}` })],
    ['off', await startDockgate({ config: UNLIMITED, environment: { NODE_OPTIONS: withoutLog } })],
  ]);
  const measured = new Map([...servers.keys()].map((name): [string, number[]] => [name, []]));
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
        measured.get(name)?.push(await requestsPerSecond(url, token, seconds));
      }
    }
  } finally {
    for (const server of servers.values()) await server.remove();
  }
  return measured;
}

async function requestsPerSecond(url: string, token: string, seconds: number): Promise<number> {
  const options = ['-t2', `-c${CONNECTIONS}`, `-d${seconds}s`];
  const accept = 'Accept: application/vnd.oci.image.manifest.v1+json';
  const { output } = await run('wrk', [
    ...options,
    '-H',
    `Authorization: Bearer ${token}`,
    '-H',
    accept,
    url,
  ]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  if (!(perSecond > 0) || /Non-2xx|Socket errors/.test(output)) throw new Error(`wrk says\n${output}`);
  return perSecond;
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

function printPage(
  sizes: Sizes,
  durability: ReadonlyMap<string, readonly number[]>,
  verified: readonly Verified[],
): string {
  const machine = describeMachine();
  const off = median(durability.get('off') ?? []);
  const rows = [...durability].map(([name, values]) => {
    const middle = median(values);
    return `| ${name} | ${middle.toFixed(0)} | ${(middle / off).toFixed(2)} |`;
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
    '| `audit.durability` | requests/s | of off |',
    '| --- | ---: | ---: |',
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
