/** Finds, awaits and remembers verdicts; knows which blobs an admitted manifest names. */
export type {
  FactReads,
  FactWrites,
  ManifestReads,
  ScanJob,
  ScanJobs,
  Scanner,
  ScanPriority,
  ScanReport,
  ScanRequests,
  ScanTarget,
  VerdictMemory,
} from './ports.ts';
