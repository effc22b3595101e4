import type { Audit } from '../audit/index.ts';
import type { Authenticator, Directory } from '../auth/index.ts';
import type { Clock, Logger, Random } from '../base/index.ts';
import type { Content, LinkReads, LinkWrites, Quotas } from '../content/index.ts';
import type { Digest, Repository, Tag } from '../oci/index.ts';
import type { Traffic } from '../traffic/index.ts';
import type { FactWrites, ScanRequests, Verdicts } from '../verdicts/index.ts';
import type { Sources } from './sources.ts';
import type { UploadSessions } from './upload-session.ts';

/** What the gateway is made of. */
export interface GatewayParts {
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  readonly directory: Pick<Directory, 'can' | 'visibleTo'>;
  readonly audit: Audit;
  readonly verdicts: Pick<Verdicts, 'verdictFor' | 'admitsBlob' | 'admitsPending' | 'judgePush' | 'peek'>;
  readonly content: Pick<Content, 'find' | 'openToPour' | 'read' | 'put' | 'fill'>;
  readonly links: LinkReads;
  readonly linkWrites: LinkWrites;
  readonly quotas: Pick<Quotas, 'of'>;
  readonly facts: Pick<FactWrites, 'seeDigest'>;
  readonly scans: Pick<ScanRequests, 'request'>;
  readonly sources: Sources;
  readonly referrers: ReferrerImports;
  readonly tags: TagMemory;
  readonly prefetch: Prefetch;
  readonly traffic: Traffic;
  readonly sessions: UploadSessions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What registries behind us said of their tags a moment ago. */
export interface TagMemory {
  /** An answer not older than `freshMs` milliseconds, else that of one question for all who want it now. */
  resolve(
    wanted: { readonly repository: Repository; readonly tag: Tag; readonly freshMs: number },
    question: () => Promise<Digest | undefined>,
  ): Promise<Digest | undefined>;
  close(): void;
}

/** Fetches what the client of an image will ask for next. */
export interface Prefetch {
  /** Returns at once; what fails, fails for nobody. The caller has found the image admitted, and has told the log. */
  begin(
    repository: Repository,
    digest: Digest,
    manifest: { readonly mediaType: string; readonly bytes: Uint8Array },
  ): void;
  /** What waits is given up; what is under way is stored. */
  close(): void;
}

/** Brings what refers to an image at the registry behind us into our own list of referrers. */
export interface ReferrerImports {
  /**
   * Asks that registry once for a while; what it names is read, and listed by the `subject` of its own bytes alone.
   *
   * @throws {Fault} the registry is away, or does not answer as it must.
   */
  bring(repository: Repository, subject: Digest): Promise<void>;
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
