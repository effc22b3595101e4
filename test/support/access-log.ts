import type { Dockgate } from './dockgate.ts';

/** What a test looks at in a record. */
export interface LoggedRecord {
  readonly index: number;
  readonly kind: string;
  readonly requestId: string;
  readonly action: string;
  readonly outcome: string;
  readonly status: number;
  readonly reason: string | undefined;
  readonly address: string | undefined;
  readonly principal: string | undefined;
  readonly repository: string | undefined;
  readonly reference: string | undefined;
  readonly digest: string | undefined;
  readonly bytes: number | undefined;
  readonly isAborted: boolean | undefined;
  readonly count: number | undefined;
  readonly note: string | undefined;
}

const WAIT_MS_MAX = 60_000;
const LIMIT = 1000;

/** Every record of the access log, newest first, as an admin finds them. */
export async function readAccessLog(server: Dockgate): Promise<readonly LoggedRecord[]> {
  const records: LoggedRecord[] = [];
  for (let before = ''; ; ) {
    const answer = await server.request(`/api/v1/audit/records?limit=${LIMIT}${before}`, {
      basic: `admin:${server.adminPassword}`,
    });
    const page = answer.json();
    if (!Array.isArray(page.records)) throw new Error(`no records: ${answer.status} ${answer.text}`);
    for (const { index, record } of page.records) records.push(readRecord(index, record));
    if (page.next === undefined) return records;
    before = `&before=${page.next}`;
  }
}

/**
 * Waits until the log says it: records are durable before their answers, and found a moment later. Notes and
 * completions are written a moment later, too.
 *
 * @throws what the log says instead, after a minute.
 */
export async function waitForLog(
  server: Dockgate,
  isThere: (records: readonly LoggedRecord[]) => boolean,
): Promise<readonly LoggedRecord[]> {
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const records = await readAccessLog(server);
    if (isThere(records)) return records;
    if (performance.now() > deadlineMs) {
      throw new Error(`the log does not say it: ${JSON.stringify(records.slice(0, 20), null, 1)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function readRecord(index: number, record: Record<string, unknown>): LoggedRecord {
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const count = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
  const member = (key: string, name: string): string | undefined => {
    const value = record[key];
    return typeof value === 'object' && value !== null ? text(Reflect.get(value, name)) : undefined;
  };
  return {
    index,
    kind: text(record.kind) ?? '',
    requestId: text(record.requestId) ?? '',
    action: text(record.action) ?? '',
    outcome: text(record.outcome) ?? '',
    status: count(record.status) ?? -1,
    reason: text(record.reason),
    address: member('client', 'address'),
    principal: member('principal', 'name'),
    repository: text(record.repository),
    reference: text(record.reference),
    digest: text(record.digest),
    bytes: count(record.bytes),
    isAborted: typeof record.isAborted === 'boolean' ? record.isAborted : undefined,
    count: count(record.count),
    note: text(record.note),
  };
}
