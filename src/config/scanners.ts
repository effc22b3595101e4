import { resolve } from 'node:path';
import { readCertificates } from './files.ts';
import { readClamdAddress, type Settings } from './schema.ts';
import { exclusive, type Problem, type Secrets } from './secrets.ts';

/** What looks into images. */
export interface ScannersConfig {
  readonly inspector: InspectorConfig;
  /** Absent: not used. */
  readonly clamav: ClamavConfig | undefined;
  readonly adapters: readonly AdapterConfig[];
  readonly grype: ProgramConfig | undefined;
  readonly trivy: ProgramConfig | undefined;
}

/** A scanner that is a program. */
export interface ProgramConfig {
  readonly program: string;
  /** Absolute. */
  readonly database: string;
  readonly timeMsMax: number;
  readonly memoryBytesMax: number;
  readonly imageBytesMax: number;
}

export interface InspectorConfig {
  readonly isEnabled: boolean;
  /** Of one blob as it is stored. */
  readonly compressedBytesMax: number;
  readonly plainBytesMax: number;
  readonly blobMsMax: number;
}

export interface ClamavConfig {
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly silenceMsMax: number;
}

/** A scanner behind Harbor's pluggable scanner API. */
export interface AdapterConfig {
  readonly name: string;
  /** Without a slash at the end. */
  readonly url: string;
  readonly robot: string;
  readonly authorization: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
}

/** What no single key shows. */
export function scannerProblems({ adapters }: Settings['scanners']): readonly Problem[] {
  return adapters.flatMap((adapter, index) => {
    const path = ['scanners', 'adapters', index];
    const isTwice = adapters.findIndex(({ name }) => name === adapter.name) !== index;
    return [
      ...exclusive(adapter, path, 'authorization'),
      ...(isTwice ? [{ path: [...path, 'name'], message: 'another adapter has the same name' }] : []),
    ];
  });
}

/** @throws {StartError} a file that cannot be read. */
export async function toScanners(
  { inspector, clamav, adapters, grype, trivy }: Settings['scanners'],
  secrets: Secrets,
  directory: string,
): Promise<ScannersConfig> {
  const address = clamav.address === undefined ? undefined : readClamdAddress(clamav.address);
  return {
    inspector: {
      isEnabled: inspector.enabled,
      compressedBytesMax: inspector.blobBytesMax,
      plainBytesMax: inspector.plainBytesMax,
      blobMsMax: inspector.blobTimeMax,
    },
    clamav: address && { address, silenceMsMax: clamav.silence },
    grype: toProgram(grype, directory),
    trivy: toProgram(trivy, directory),
    adapters: await Promise.all(
      adapters.map((adapter, index) =>
        toAdapter(adapter, ['scanners', 'adapters', index], secrets, directory),
      ),
    ),
  };
}

function toProgram(
  { program, database, timeMax, memoryMax, imageBytesMax }: Settings['scanners']['grype'],
  directory: string,
): ProgramConfig | undefined {
  if (program === undefined) return undefined;
  return {
    // A name without a slash is looked for in the usual folders.
    program: program.includes('/') ? resolve(directory, program) : program,
    database: resolve(directory, database),
    ...{ timeMsMax: timeMax, memoryBytesMax: memoryMax, imageBytesMax },
  };
}

async function toAdapter(
  { name, url, robot, caFile, ...others }: Settings['scanners']['adapters'][number],
  path: Problem['path'],
  secrets: Secrets,
  directory: string,
): Promise<AdapterConfig> {
  return {
    ...{ name, url: url.replace(/\/+$/, ''), robot },
    authorization: await secrets.read(others, path, 'authorization'),
    ca:
      caFile === undefined
        ? undefined
        : await readCertificates(resolve(directory, caFile), secrets.where([...path, 'caFile'])),
  };
}
