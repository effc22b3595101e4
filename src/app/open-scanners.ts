import type { Clock, Logger } from '../base/index.ts';
import { createClamav, createInspector } from '../scanners/index.ts';
import type { Scanner } from '../verdicts/index.ts';
import type { NodeConfig } from './node-config.ts';

/** Names of the scanners that run in the housekeeping process. */
export function scannerNames({ scanners: { inspector, clamav } }: NodeConfig): readonly string[] {
  return [...(inspector.isEnabled ? ['inspector'] : []), ...(clamav ? ['clamav'] : [])];
}

/** The scanners that run here, the quickest first. */
export function openScanners(
  { scanners: { inspector, clamav } }: NodeConfig,
  parts: { readonly clock: Clock; readonly logger: Logger },
): { readonly all: readonly Scanner[]; readonly close: () => Promise<void> } {
  const { compressedBytesMax, plainBytesMax, blobMsMax } = inspector;
  const limits = { compressedBytesMax, plainBytesMax, blobMsMax };
  const opened = inspector.isEnabled ? createInspector({ limits }, parts) : undefined;
  return {
    all: [...(opened ? [opened] : []), ...(clamav ? [createClamav({ ...clamav, limits }, parts)] : [])],
    close: async () => opened?.close(),
  };
}
