/**
 * SQL: implements the ports of auth/, content/, verdicts/ and audit/ that keep something. One process of a node
 * opens it for writing, the others for reading. Entered by app/ alone; what is one database's own is in sqlite/ and postgres/.
 */

export type { ConfigPolicyWrites } from './fact-writes.ts';
export type { ConflictReason } from './faults.ts';
export { StoreConflict, StoreUnavailable } from './faults.ts';
export type { StoreOptions, StoreReads, StoreWrites, StoreWritesParts } from './open.ts';
export { openStoreReads, openStoreWrites } from './open.ts';
export type { Replicas } from './postgres/open.ts';
export type { PostgresTarget } from './postgres/target.ts';
