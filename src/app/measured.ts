import type { AuditEntry, AuditWriter } from '../audit/index.ts';
import type { Clock } from '../base/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import type { Scanner, Verdicts } from '../verdicts/index.ts';

interface Parts {
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** The access log, its records counted by action and outcome, and the time until each was durable. */
export function measuredAudit(audit: AuditWriter, { metrics, clock }: Parts): AuditWriter {
  const count = ({ kind, action, outcome }: AuditEntry): void => {
    if (kind === 'decision') metrics.decided({ action, outcome });
  };
  return {
    async record(entry, options) {
      const startedAtMs = clock.monotonicMs();
      const durationMs = () => clock.monotonicMs() - startedAtMs;
      try {
        const record = await audit.record(entry, options);
        metrics.recorded({ isDurable: true, durationMs: durationMs() });
        count(entry);
        return record;
      } catch (error) {
        metrics.recorded({ isDurable: false, durationMs: durationMs() });
        throw error;
      }
    },
    note(entry) {
      count(entry);
      audit.note(entry);
    },
    complete: (entry) => audit.complete(entry),
    isWritable: () => audit.isWritable(),
    close: () => audit.close(),
  };
}

/** Verdicts, those that a pull asked for counted by outcome. */
export function measuredVerdicts(verdicts: Verdicts, metrics: Pick<Metrics, 'judged'>): Verdicts {
  return {
    ...verdicts,
    async verdictFor(...asked) {
      const held = await verdicts.verdictFor(...asked);
      metrics.judged(held.verdict.outcome);
      return held;
    },
  };
}

/** A scanner, its scans counted by how they ended. */
export function measuredScanner(scanner: Scanner, { metrics, clock }: Parts): Scanner {
  const { name } = scanner;
  return {
    name,
    get version() {
      return scanner.version;
    },
    currentVersion: async (signal) => (await scanner.currentVersion?.(signal)) ?? scanner.version,
    async scan(target, signal) {
      const startedAtMs = clock.monotonicMs();
      const ended = (status: string): void =>
        metrics.scanned({ scanner: name, status, durationMs: clock.monotonicMs() - startedAtMs });
      try {
        const report = await scanner.scan(target, signal);
        ended(report.scan.status);
        return report;
      } catch (error) {
        ended('failed');
        throw error;
      }
    },
  };
}
