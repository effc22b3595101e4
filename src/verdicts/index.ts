/** Finds, awaits and remembers verdicts; knows which blobs an admitted manifest names; runs scans. */
export type {
  DeniedDigest,
  FactReads,
  FactWrites,
  FeedContent,
  FeedEntries,
  FeedWrites,
  KeptFeed,
  ManifestReads,
  PolicyVersion,
  PushedReport,
  ReadReport,
  Sbom,
  SbomDocument,
  ScanJob,
  ScanJobs,
  Scanner,
  ScanPriority,
  ScanReport,
  ScanRequests,
  ScanStatus,
  ScanTarget,
  ScanTargets,
  VerdictMemory,
  Vouchers,
} from './ports.ts';
export type { ScanRunner, ScanRunnerOptions, ScanRunnerParts } from './scan-runner.ts';
export { createScanRunner } from './scan-runner.ts';
export type { Trials } from './trials.ts';
export { createTrials } from './trials.ts';
export type {
  BlobAdmission,
  HeldVerdict,
  Hold,
  Push,
  Verdicts,
  VerdictsOptions,
  VerdictsParts,
} from './verdicts.ts';
export { createVerdicts } from './verdicts.ts';
