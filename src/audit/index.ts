/** Records decisions before bytes, puts them in a Merkle log, verifies the log. Entered by gateway/, api/, cli/. */
export type { Damage, DamageKind } from './damage.ts';
export { AuditUnavailable } from './faults.ts';
export type { LogKey } from './key.ts';
export { loadOrCreateLogKey } from './key.ts';
export type { IndexedRecord, RecordIndexReads, RecordIndexWrites, RecordQuery } from './ports.ts';
export { safePrint, safeText } from './print.ts';
export type { AccessRecord, Audit, AuditEntry, Via } from './record.ts';
export { rebuildIndex, searchRecords } from './search.ts';
export type { Durability } from './segment-file.ts';
export type { Sequencer, SequencerOptions, SequencerParts } from './sequencer.ts';
export { openSequencer } from './sequencer.ts';
export type { VerifyOptions, VerifyReport } from './verify.ts';
export { verifyLog } from './verify.ts';
export type { AuditWriter, AuditWriterOptions, AuditWriterParts } from './writer.ts';
export { openAuditWriter } from './writer.ts';
