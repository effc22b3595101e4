import { SECOND_MS } from '../base/index.ts';
import type { ScanRequests } from '../verdicts/index.ts';
import type { Rpc } from './ports.ts';
import { remotePart } from './remote-part.ts';

/** Beyond the wait itself: the time for the answer to come. */
const ANSWER_MS = 5 * SECOND_MS;

/**
 * Scan requests of a worker, answered by the scan runner in the housekeeping process, which offers them as `scans`.
 *
 * @param offered names of the scanners that run there: known from the configuration, so nobody needs to be asked.
 */
export function createRemoteScans(rpc: Rpc, offered: readonly string[]): ScanRequests {
  const remote = remotePart<Pick<ScanRequests, 'request' | 'status'>>(rpc, 'scans', {
    repeatable: ['request', 'status'],
  });
  return {
    isOffered: (scanner) => (scanner === '*' ? offered.length > 0 : offered.includes(scanner)),
    request: remote.request,
    status: remote.status,
    async wait(digest, waitMsMax) {
      try {
        const answer = await rpc.call('scans.wait', [digest, waitMsMax], {
          timeoutMs: waitMsMax + ANSWER_MS,
        });
        if (isWaitAnswer(answer)) return answer;
      } catch {
        // The other side went away while we waited: the scan is in its queue and goes on when it is back.
      }
      return { isDone: false, restMs: ANSWER_MS };
    },
  };
}

function isWaitAnswer(value: unknown): value is Awaited<ReturnType<ScanRequests['wait']>> {
  return typeof value === 'object' && value !== null && 'isDone' in value && 'restMs' in value;
}
