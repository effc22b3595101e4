import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, MiB } from '../../base/index.ts';
import { Fault } from '../../oci/index.ts';
import type { PushedReport, Scanner, ScanReport, ScanTarget } from '../../verdicts/index.ts';
import { Unscannable } from '../layers/limits.ts';
import { readScan } from '../reports/read-report.ts';
import { writeLayout } from './layout.ts';
import { type Ran, runProgram } from './run-program.ts';
import type { Tool } from './tools.ts';

export interface ProgramScannerOptions {
  /** Path, or a name in the usual folders. */
  readonly program: string;
  /** The folder that holds its vulnerability database; kept up to date by somebody else. */
  readonly database: string;
  /** Where images are laid out while they are scanned. */
  readonly workDirectory: string;
  /** Of one run, in milliseconds. */
  readonly timeMsMax: number;
  readonly memoryBytesMax: number;
  /** Of config and layers of one image. */
  readonly imageBytesMax: number;
}

const OUTPUT_BYTES_MAX = 64 * MiB;
const VERSION_MS_MAX = 60_000;

/** Builds a scanner that is a program: it reads an image from a folder, finds no network, and prints JSON. */
export function createProgramScanner(
  tool: Tool,
  options: ProgramScannerOptions,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Scanner {
  const { program, database, workDirectory, timeMsMax, memoryBytesMax, imageBytesMax } = options;
  let version = 'unknown';

  function run(
    args: readonly string[],
    directory: string,
    timeMs: number,
    signal: AbortSignal,
  ): Promise<Ran> {
    return runProgram({
      ...{ program, args, directory, memoryBytesMax },
      environment: tool.environment(database),
      outputBytesMax: OUTPUT_BYTES_MAX,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeMs)]),
    });
  }

  /** @throws {Fault} without a database it would call everything clean, or fail at everything. */
  async function readVersion(directory: string, signal: AbortSignal): Promise<string> {
    const { output, complaint } = await run(tool.versionArgs, directory, VERSION_MS_MAX, signal);
    const read = tool.readVersion(parseJson(output));
    if (read !== undefined) return read;
    const problem = `${tool.name} has no usable database in ${database}`;
    throw new Fault('DG_SCANNER_DATABASE', 'UNAVAILABLE', problem, new Error(complaint));
  }

  async function scanIn(directory: string, target: ScanTarget, signal: AbortSignal): Promise<PushedReport> {
    version = await readVersion(directory, signal);
    await writeLayout(directory, target, { bytesMax: imageBytesMax, signal });
    const { code, output, complaint } = await run(tool.scanArgs(directory), directory, timeMsMax, signal);
    if (code !== 0) throw new Error(`${tool.name} ended with ${code}: ${complaint}`);
    const read = readScan(tool.name, output, { by: tool.name, bytesMax: OUTPUT_BYTES_MAX });
    if (!read.ok) throw new Error(read.problem);
    return read.report;
  }

  function report(
    target: ScanTarget,
    read: Pick<PushedReport, 'findings' | 'packages' | 'unscannable'>,
  ): ScanReport {
    const { digest } = target;
    const { findings, packages, unscannable: reason } = read;
    const status = reason === undefined ? 'done' : 'unscannable';
    const about = { digest, scanner: tool.name, status, reason, findingCount: findings.length };
    parts.logger.info('a program scanned a manifest', about);
    return {
      digest,
      scan: {
        ...{ by: tool.name, atMs: parts.clock.nowMs(), version, status },
        ...(reason === undefined ? {} : { reason }),
      },
      findings,
      ...(packages ? { sbom: { format: 'trivy', packages } } : {}),
    };
  }

  return {
    name: tool.name,
    get version() {
      return version;
    },
    currentVersion: (signal) => readVersion(workDirectory, signal),
    async scan(target, signal) {
      const directory = await mkdtemp(join(workDirectory, `${tool.name}-`));
      try {
        return report(target, await scanIn(directory, target, signal));
      } catch (error) {
        if (error instanceof Unscannable) return report(target, { findings: [], unscannable: error.message });
        throw error;
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
