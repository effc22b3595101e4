import { type Rpc, remotePart } from '../cluster/index.ts';
import type { ScanRequests } from '../verdicts/index.ts';
import type { NodeConfig } from './node-config.ts';

/** A wait for a scan lasts as long as the longest hold; the line must not give up before. */
const MARGIN_MS = 10_000;

/** In a worker: the queue of the housekeeping process. Which scanners run is known from the configuration. */
export function openScans(config: NodeConfig, rpc: Rpc): ScanRequests {
  const remote = remotePart<Pick<ScanRequests, 'request' | 'wait'>>(rpc, 'scans', {
    timeoutMs: config.limits.holdMsMax + MARGIN_MS,
  });
  return {
    isOffered: (scanner) => config.inspector.isEnabled && (scanner === 'inspector' || scanner === '*'),
    request: (repository, digest, priority) => remote.request(repository, digest, priority),
    wait: (digest, waitMsMax) => remote.wait(digest, waitMsMax),
  };
}
