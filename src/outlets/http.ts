import type { Clock } from '../base/index.ts';
import { type OutletFormat, printRecord } from './format.ts';
import { createPoster, type PostTarget } from './http-post.ts';
import type { OutletRecord, Receiver } from './ports.ts';
import { signatureHeaders } from './signature.ts';

export interface HttpOutletOptions extends PostTarget {
  readonly format: OutletFormat;
  /** Shared with the receiver; absent: bodies are not signed. */
  readonly secret?: string;
}

/**
 * Posts records as one JSON body: `{"first","last","records":[{"index","record"}]}`. A 2xx is the receiver's word
 * that it has them; everything else, also silence, brings the same records again.
 */
export function createHttpReceiver(
  options: HttpOutletOptions,
  { clock }: { readonly clock: Clock },
): Receiver {
  const { format, secret } = options;
  const poster = createPoster(options);
  return {
    isConfirmed: true,
    async send(records, signal) {
      const body = printBody(records, format);
      const [first, last] = [records[0], records.at(-1)];
      const id = `${first?.record.node}-${first?.index}-${last?.index}`;
      const signed = secret === undefined ? {} : signatureHeaders({ id, atMs: clock.nowMs(), body }, secret);
      await poster.post(body, { 'content-type': 'application/json', ...signed }, signal);
      return undefined;
    },
    close: () => poster.close(),
  };
}

function printBody(records: readonly OutletRecord[], format: OutletFormat): string {
  const items = records.map((record) => {
    const text = printRecord(record, format);
    // A record of the log goes out as the bytes that were hashed; CEF is text.
    return `{"index":${record.index},"record":${format === 'cef' ? JSON.stringify(text) : text}}`;
  });
  return `{"first":${records[0]?.index},"last":${records.at(-1)?.index},"records":[${items.join(',')}]}`;
}
