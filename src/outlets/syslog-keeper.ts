import { hostname } from 'node:os';
import type { Clock } from '../base/index.ts';
import { createSyslogSender, type SyslogOptions } from './syslog.ts';
import type { Keeper } from './witness.ts';

/** Facility 13 (log audit), severity 5 (notice). */
const PRIORITY = 13 * 8 + 5;

/** One message of RFC 5424 a checkpoint; its text is `{"origin","size","checkpoint"}`. */
export function createSyslogKeeper(options: SyslogOptions, { clock }: { readonly clock: Clock }): Keeper {
  const sender = createSyslogSender(options);
  return {
    async keep({ origin, size, note }, signal) {
      const text = toAscii(JSON.stringify({ origin, size, checkpoint: note }));
      const time = new Date(clock.nowMs()).toISOString();
      const message = `<${PRIORITY}>1 ${time} ${toAscii(hostname())} dockgate - checkpoint - ${text}`;
      try {
        await sender.send([message], signal);
      } catch {
        // A lost connection is noticed at the next sending: a second try opens a new one.
        await sender.send([message], signal);
      }
    },
    close: () => sender.close(),
  };
}

function toAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
