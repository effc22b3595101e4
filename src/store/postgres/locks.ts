/** Advisory locks of the database: `dkgt` in ASCII, then which one. */
const SPACE = 0x64_6b_67_74;

export const LOCKS = {
  schema: 1,
  /** Writers of the main tables follow each other, as they do on SQLite. */
  writers: 2,
  queue: 3,
  start: 4,
  tidy: 5,
  feeds: 6,
} as const;

export type Lock = (typeof LOCKS)[keyof typeof LOCKS];

export function lockCall(
  call: 'pg_advisory_lock' | 'pg_advisory_xact_lock' | 'pg_try_advisory_lock',
  lock: Lock,
): string {
  return `select pg_catalog.${call}(${SPACE}, ${lock}) as got`;
}
