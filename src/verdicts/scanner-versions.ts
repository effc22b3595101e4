import { type Clock, type Logger, MINUTE_MS, SECOND_MS } from '../base/index.ts';
import type { Scanner } from './ports.ts';

/** What each scanner scans with now, as far as it has said so. */
export interface ScannerVersions {
  /** Asks those that were not asked lately. */
  refresh(): Promise<void>;
  of(scanner: string): { readonly version?: string; readonly problem?: string };
}

const ASK_EVERY_MS = 10 * MINUTE_MS;
const ANSWER_MS_MAX = 30 * SECOND_MS;

export function createScannerVersions(
  scanners: readonly Scanner[],
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): ScannerVersions {
  const known = new Map<string, { readonly version?: string; readonly problem?: string }>();
  let askedAtMs = Number.NEGATIVE_INFINITY;

  async function ask(scanner: Scanner): Promise<void> {
    try {
      const asked = scanner.currentVersion?.(AbortSignal.timeout(ANSWER_MS_MAX));
      known.set(scanner.name, { version: (await asked) ?? scanner.version });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      logger.warn('a scanner does not say what it is', { scanner: scanner.name, reason: problem });
      // What it was last told of stays what re-scans go by; a scanner that is away makes nothing older.
      known.set(scanner.name, { ...known.get(scanner.name), problem });
    }
  }

  return {
    async refresh() {
      if (clock.monotonicMs() - askedAtMs < ASK_EVERY_MS) return;
      askedAtMs = clock.monotonicMs();
      await Promise.all(scanners.map(ask));
    },
    of: (scanner) => known.get(scanner) ?? {},
  };
}
