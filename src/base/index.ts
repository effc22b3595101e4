/**
 * Ports and small values that every room may use: time, randomness, logging, sizes, durations, changes.
 * Imports nothing of the house.
 */

export type { AddressRange } from './address-range.ts';
export {
  canonicalAddress,
  createAddressRanges,
  parseAddressRange,
  plainAddress,
} from './address-range.ts';
export type { Change, Changes, LocalChanges, Topic } from './changes.ts';
export { createLocalChanges } from './changes.ts';
export type { Clock, ManualClock } from './clock.ts';
export { createManualClock, systemClock } from './clock.ts';
export {
  createFileDurably,
  isErrorWithCode,
  isTemporaryName,
  replaceFileDurably,
  syncDirectory,
} from './durable-files.ts';
export { DAY_MS, HOUR_MS, MINUTE_MS, parseDuration, printDuration, SECOND_MS } from './durations.ts';
export type { LogFields, Logger } from './logger.ts';
export { silentLogger } from './logger.ts';
export { readPrivateFile } from './private-file.ts';
export type { Random } from './random.ts';
export { newId, systemRandom } from './random.ts';
export { createSingleFlight } from './single-flight.ts';
export { GiB, KiB, MiB, parseBytes, printBytes, sayBytes } from './sizes.ts';
export { StartError } from './start-error.ts';
