/** Records decisions before bytes, puts them in a Merkle log, verifies the log. Entered by gateway/, api/, cli/. */
export type { IndexedRecord, RecordIndexReads, RecordIndexWrites, RecordQuery } from './ports.ts';
export type { AccessRecord, Audit, AuditEntry, Via } from './record.ts';
