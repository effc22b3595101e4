/** Records decisions before bytes, puts them in a Merkle log, verifies the log. Entered by gateway/, api/, cli/. */

export type { Retention } from './border.ts';
export { toCef } from './cef.ts';
export type { ProofCheck } from './check-proof.ts';
export { checkProof } from './check-proof.ts';
export type { Cosigner } from './cosignature.ts';
export { findCosignature, parseCosignerKey } from './cosignature.ts';
export { csvCell } from './csv.ts';
export type { Damage, DamageKind } from './damage.ts';
export type { ExportFormat, ExportOptions } from './export.ts';
export { EXPORT_FORMATS, exportRecords } from './export.ts';
export { AuditUnavailable } from './faults.ts';
export type { RecordFilter } from './filter.ts';
export type { LogHeadNote } from './head.ts';
export { printAddCheckpoint, readHeadNote } from './head.ts';
export type { Hold } from './holds.ts';
export { addHold, readHolds, removeHold } from './holds.ts';
export { rebuildIndex } from './index-filler.ts';
export type { LogKey } from './key.ts';
export { loadOrCreateLogKey } from './key.ts';

export { keyPathsOf } from './next-key.ts';

export { toOcsf } from './ocsf.ts';

export type {
  IndexedRecord,
  LastUse,
  RecordConditions,
  RecordCountQuery,
  RecordCounts,
  RecordIndexReads,
  RecordIndexState,
  RecordIndexWrites,
  RecordPage,
  RecordQuery,
} from './ports.ts';
export { safePrint, safeText } from './print.ts';
export type { Prover } from './prove.ts';
export { NoProof, openProver } from './prove.ts';
export type { AccessRecord, Audit, AuditEntry, Via } from './record.ts';
export type { RecordEntry, RecordsProgress } from './records.ts';
export { readRecordsBetween } from './records.ts';
export type { Report, ReportName, ReportRow } from './report.ts';
export { makeReport, REPORT_NAMES, reportCsv, reportHelp, reportTitle } from './report.ts';
export { reportHtml } from './report-html.ts';
export type { ReserveOptions } from './reserve.ts';
export { fillReserve } from './reserve.ts';
export { printFieldTable, RECORD_SCHEMA } from './schema.ts';
export type { Durability } from './segment-file.ts';
export type { Sequencer, SequencerOptions, SequencerParts } from './sequencer.ts';
export { openSequencer } from './sequencer.ts';
export { isAccessRecord } from './shape.ts';
export type { CountedBy, Term, TermField } from './terms.ts';
export { COUNTED_BY, countedValues, termsOf } from './terms.ts';
export type { VerifyOptions, VerifyReport } from './verify.ts';
export { verifyLog } from './verify.ts';
export type { AuditWriter, AuditWriterOptions, AuditWriterParts } from './writer.ts';
export { openAuditWriter } from './writer.ts';
