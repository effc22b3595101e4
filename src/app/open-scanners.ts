import type { Clock, Logger } from '../base/index.ts';
import {
  createClamav,
  createHarborScanner,
  createInspector,
  createProgramScanner,
  GRYPE,
  TRIVY,
} from '../scanners/index.ts';
import type { Scanner } from '../verdicts/index.ts';
import type { NodeConfig } from './node-config.ts';
import { pathsOf } from './paths.ts';
import type { ScanTokens } from './scan-tokens.ts';

/** Names of the scanners that the housekeeping process runs or asks. */
export function scannerNames({ scanners }: NodeConfig): readonly string[] {
  const { inspector, clamav, adapters, grype, trivy } = scanners;
  return [
    ...(inspector.isEnabled ? ['inspector'] : []),
    ...(clamav ? ['clamav'] : []),
    ...(grype ? ['grype'] : []),
    ...(trivy ? ['trivy'] : []),
    ...adapters.map(({ name }) => name),
  ];
}

/** All scanners, the quickest first. */
export function openScanners(
  { scanners: { inspector, clamav, adapters, grype, trivy }, publicUrl, dataDirectory }: NodeConfig,
  parts: { readonly clock: Clock; readonly logger: Logger; readonly scanTokens: ScanTokens },
): { readonly all: readonly Scanner[]; readonly close: () => Promise<void> } {
  const { compressedBytesMax, plainBytesMax, blobMsMax } = inspector;
  const limits = { compressedBytesMax, plainBytesMax, blobMsMax };
  const opened = inspector.isEnabled ? [createInspector({ limits }, parts)] : [];
  const { scanWork: workDirectory } = pathsOf(dataDirectory);
  const programs = [
    ...(grype ? [createProgramScanner(GRYPE, { ...grype, workDirectory }, parts)] : []),
    ...(trivy ? [createProgramScanner(TRIVY, { ...trivy, workDirectory }, parts)] : []),
  ];
  const behind = adapters.map(({ robot, ...adapter }) =>
    createHarborScanner(
      { ...adapter, registryUrl: publicUrl },
      {
        ...parts,
        authorizationFor: (repository, digest) =>
          parts.scanTokens.authorizationFor(robot, repository, digest),
      },
    ),
  );
  return {
    all: [...opened, ...(clamav ? [createClamav({ ...clamav, limits }, parts)] : []), ...programs, ...behind],
    close: async () => void (await Promise.all([...opened, ...behind].map((scanner) => scanner.close()))),
  };
}
