import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { MiB } from '../src/base/index.ts';
import { openInspector, scan } from '../test/scanners/inspector/scanning.ts';
import { type BuiltImage, buildImage, buildTar, type ImageEntry } from '../test/support/image.ts';
import { describeMachine, median } from './report.ts';
import { measureVerdicts, type Verdicts } from './verdicts.ts';

/**
 * Measures how fast the inspector reads layers, the memory it takes, and what a verdict costs from memory, Redis and SQL.
 *
 *   node bench/scan.ts [--quick] [--write]      --write: bench/scan.md
 */
const ROOT = join(import.meta.dirname, '..');
const FULL = { rounds: 5, layerMiB: 128, images: 1000 };
const QUICK = { rounds: 1, layerMiB: 8, images: 50 };

interface Speed {
  readonly layer: string;
  readonly megabytes: number;
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGigabyte: number;
}

interface Memory {
  readonly how: string;
  readonly memoryMiB: number;
  readonly grownMiB: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
  });
  const sizes = values.quick ? QUICK : FULL;
  const machine = describeMachine();
  const speeds = await measureSpeeds(sizes);
  const memory = values.quick ? [] : await measureMemory();
  const verdicts = await measureVerdicts(sizes.images);
  const page = printPage({ machine, sizes, speeds, memory, verdicts });
  process.stdout.write(page);
  if (values.write) writeFileSync(join(import.meta.dirname, 'scan.md'), page);
}

/** What images consist of: source and texts, programs, and texts as registries keep them. */
async function measureSpeeds({ rounds, layerMiB }: typeof FULL): Promise<readonly Speed[]> {
  const text = Buffer.from(await buildTar(textFiles(layerMiB * MiB)));
  const program = readFileSync(process.execPath).subarray(0, layerMiB * MiB);
  const binary = Buffer.from(await buildTar([{ path: 'usr/bin/node', mode: 0o755, data: program }]));
  const layers = [
    { layer: 'source and text (npm packages)', bytes: text, plain: text.length },
    { layer: 'a program (node)', bytes: binary, plain: binary.length },
    { layer: 'the same text in gzip, plain MB', bytes: gzipSync(text), plain: text.length },
  ];
  const speeds: Speed[] = [];
  for (const { layer, bytes, plain } of layers) {
    const image = await buildImage({ layers: [{ bytes }], compression: 'none' });
    speeds.push({ layer, ...(await speedOf(image, plain / 1e6, rounds)) });
  }
  return speeds;
}

async function speedOf(image: BuiltImage, megabytes: number, rounds: number): Promise<Omit<Speed, 'layer'>> {
  const inspector = openInspector();
  const seconds: number[] = [];
  const cpuSeconds: number[] = [];
  // The first one starts the thread and lets its code be compiled; it does not count.
  for (let round = 0; round <= rounds; round += 1) {
    const before = process.cpuUsage();
    const startedMs = performance.now();
    const { scan: done } = await scan(inspector, image);
    if (done.status !== 'done') throw new Error(`not scanned: ${done.reason}`);
    if (round === 0) continue;
    seconds.push((performance.now() - startedMs) / 1000);
    const { user, system } = process.cpuUsage(before);
    cpuSeconds.push((user + system) / 1e6);
  }
  await inspector.close();
  return {
    megabytes,
    megabytesPerSecond: megabytes / median(seconds),
    cpuSecondsPerGigabyte: (median(cpuSeconds) * 1000) / megabytes,
  };
}

function textFiles(bytesMax: number): readonly ImageEntry[] {
  const entries: ImageEntry[] = [];
  let bytes = 0;
  for (const entry of readdirSync(join(ROOT, 'node_modules'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(?:[cm]?[jt]s|json|md|map)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const data = readFileSync(path);
    bytes += data.length;
    if (bytes > bytesMax) break;
    entries.push({ path: `app${path.slice(ROOT.length)}`, data });
  }
  return entries;
}

async function measureMemory(): Promise<readonly Memory[]> {
  const program = join(ROOT, 'test/scanners/inspector/large-layer-process.ts');
  const found: Memory[] = [];
  for (const how of ['plain', 'gzip']) {
    const { stdout } = await promisify(execFile)(process.execPath, [program, how]);
    found.push({ how, ...JSON.parse(stdout) });
  }
  return found;
}

function printPage(found: {
  readonly machine: ReturnType<typeof describeMachine>;
  readonly sizes: typeof FULL;
  readonly speeds: readonly Speed[];
  readonly memory: readonly Memory[];
  readonly verdicts: Verdicts;
}): string {
  const { machine, sizes, speeds, memory, verdicts } = found;
  const speedRows = speeds.map(
    (one) =>
      `| ${one.layer} | ${one.megabytes.toFixed(0)} | ${one.megabytesPerSecond.toFixed(0)} | ${one.cpuSecondsPerGigabyte.toFixed(1)} |`,
  );
  const verdictRows = verdicts.map(
    ({ from, median, p95 }) => `| ${from} | ${median.toFixed(1)} | ${p95.toFixed(1)} |`,
  );
  const memoryRows = memory.map(
    ({ how, memoryMiB, grownMiB }) =>
      `- A layer of 1 GiB (${how}): the whole process grew by ${grownMiB} to ${memoryMiB} MiB.`,
  );
  return `# Scans and verdicts, measured

Written by \`node bench/scan.ts --write\`: ${machine.processors}, ${machine.memoryGiB} GiB memory, ${machine.kernel}, Node ${machine.node}; load
average before the run ${machine.loadBefore.toFixed(1)}.

| layer, one thread of the inspector | MB | MB/s | CPU s a GB |
| --- | ---: | ---: | ---: |
${speedRows.join('\n')}

| a verdict of ${sizes.images} images | median µs | 95 % µs |
| --- | ---: | ---: |
${verdictRows.join('\n')}

${memoryRows.join('\n')}
- Medians of ${sizes.rounds} rounds. CPU is that of all threads of the process, the one that feeds the inspector included.
- From Redis: a redis-server on the same machine, a process that has nothing in memory. From SQL: SQLite, the facts read and
  judged anew.
`;
}

await main();
