/**
 * Sends the records of the access log to receivers elsewhere: all, in order, each at least once, from a cursor that
 * survives crashes. Entered by app/, which runs it in the housekeeping process.
 */
export { backoffMs } from './backoff.ts';
export type { OutletFormat } from './format.ts';
export { createPoster, NotTaken, type Poster, type PostTarget } from './http-post.ts';
export type { OutletOptions, Outlets } from './open-outlets.ts';
export { openOutlets } from './open-outlets.ts';
export type { WitnessConfig, Witnesses } from './open-witnesses.ts';
export { openWitnesses } from './open-witnesses.ts';
export type { OutletRecord, RecordSource } from './ports.ts';
export type { OutletState } from './pump.ts';
export { signatureHeaders } from './signature.ts';
export type { HeadNote } from './witness.ts';
