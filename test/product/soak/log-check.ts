import { type Dockgate, linesOfCli } from '../../support/dockgate.ts';
import { until } from '../../support/until.ts';
import type { Ledger } from './ledger.ts';

/** What the access log says of a soak. */
export interface LogCheck {
  readonly lines: number;
  /** Answers without their one record, or whose record says another status; of these the first few. */
  readonly problems: readonly string[];
  /** Requests without a credential: recorded singly, and counted in summaries. */
  readonly noted: number;
  readonly summedUp: number;
  /** By name of the principal: what was pulled and pushed by whom. */
  readonly allowed: ReadonlyMap<string, { readonly pulls: number; readonly pushes: number }>;
}

/**
 * Holds the exported log against what the clients were told: each answer to a request with a credential has exactly
 * one decision, whose status (or that of a later completion) is the answer's; of those without, none is lost.
 */
export async function checkLog(server: Dockgate, ledger: Ledger): Promise<LogCheck> {
  let check = await readLog(server, ledger);
  // The last records are exported once the checkpoint is beyond them.
  await until(async () => {
    if (check.problems.length === 0) return true;
    check = await readLog(server, ledger);
    return false;
  }, 'each answer is in the exported log').catch(() => {});
  return check;
}

async function readLog(server: Dockgate, ledger: Ledger): Promise<LogCheck> {
  const decided = new Map<string, { count: number; readonly status: number }>();
  const ended = new Map<string, number>();
  const allowed = new Map<string, { pulls: number; pushes: number }>();
  let [lines, noted, summedUp] = [0, 0, 0];
  for await (const line of linesOfCli(server, ['audit', 'export'])) {
    const { record } = JSON.parse(line);
    lines += 1;
    if (record.kind === 'summary') summedUp += Number(record.count);
    if (record.kind === 'completion') ended.set(record.requestId, Number(record.status));
    if (record.kind !== 'decision') continue;
    if (ledger.noted.has(record.requestId)) noted += 1;
    const known = decided.get(record.requestId);
    if (known) known.count += 1;
    else decided.set(record.requestId, { count: 1, status: Number(record.status) });
    if (record.outcome === 'allowed') add(allowed, String(record.principal?.name), record);
  }
  const problems: string[] = [];
  for (const [id, status] of ledger.recorded) {
    const found = decided.get(id);
    const said = ended.get(id) ?? found?.status;
    if (found?.count !== 1) problems.push(`${id} answered ${status} has ${found?.count ?? 0} decisions`);
    else if (said !== status) problems.push(`${id} answered ${status} is recorded as ${said}`);
  }
  if (noted + summedUp < ledger.noted.size) {
    problems.push(`${noted} records and ${summedUp} summed up for ${ledger.noted.size} without a credential`);
  }
  return { lines, problems, noted, summedUp, allowed };
}

function add(
  allowed: Map<string, { pulls: number; pushes: number }>,
  name: string,
  record: { readonly action?: unknown; readonly method?: unknown; readonly digest?: unknown },
): void {
  const counts = allowed.get(name) ?? { pulls: 0, pushes: 0 };
  if (record.action === 'pull') counts.pulls += 1;
  if (record.action === 'push') counts.pushes += 1;
  allowed.set(name, counts);
}
