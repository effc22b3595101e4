import type { Clock, Logger } from '../base/index.ts';
import { createInspector } from '../scanners/index.ts';
import type { Scanner } from '../verdicts/index.ts';
import type { NodeConfig } from './node-config.ts';

/** Names of the scanners that run in the housekeeping process. */
export function scannerNames({ inspector }: NodeConfig): readonly string[] {
  return inspector.isEnabled ? ['inspector'] : [];
}

/** The scanners that run here. */
export function openScanners(
  { inspector }: NodeConfig,
  parts: { readonly clock: Clock; readonly logger: Logger },
): { readonly all: readonly Scanner[]; readonly close: () => Promise<void> } {
  if (!inspector.isEnabled) return { all: [], close: async () => {} };
  const { compressedBytesMax, plainBytesMax, blobMsMax } = inspector;
  const opened = createInspector({ limits: { compressedBytesMax, plainBytesMax, blobMsMax } }, parts);
  return { all: [opened], close: () => opened.close() };
}
