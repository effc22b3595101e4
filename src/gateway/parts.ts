import type { Audit } from '../audit/index.ts';
import type { Authenticator, Directory } from '../auth/index.ts';
import type { Clock, Logger, Random } from '../base/index.ts';
import type { Content, LinkReads, LinkWrites } from '../content/index.ts';
import type { FactWrites, ScanRequests, Verdicts } from '../verdicts/index.ts';
import type { Sources } from './sources.ts';
import type { UploadSessions } from './upload-session.ts';

/** What the gateway is made of. */
export interface GatewayParts {
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  readonly directory: Pick<Directory, 'can' | 'visibleTo'>;
  readonly audit: Audit;
  readonly verdicts: Pick<Verdicts, 'verdictFor' | 'admitsBlob' | 'admitsPending' | 'judgePush'>;
  readonly content: Pick<Content, 'find' | 'openToPour' | 'read' | 'put' | 'fill'>;
  readonly links: LinkReads;
  readonly linkWrites: LinkWrites;
  readonly facts: Pick<FactWrites, 'seeDigest'>;
  readonly scans: Pick<ScanRequests, 'request'>;
  readonly sources: Sources;
  readonly sessions: UploadSessions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface GatewayOptions {
  /** `service` of the token protocol. */
  readonly service: string;
  /** `https://reg.corp`: what a request gets whose Host is not one of `hosts`. */
  readonly publicUrl: string;
  /** `localhost:8443`: Host headers that are echoed into realm and Location. */
  readonly hosts: ReadonlySet<string>;
  /** How long an uploaded blob waits for a manifest that names it. */
  readonly pendingMs: number;
  /** Longest hold of a pull for a running scan, whatever the policy says. */
  readonly holdMsMax: number;
}
