import type { Audit, RecordIndexReads } from '../audit/index.ts';
import type {
  AccountReads,
  AccountWrites,
  Authenticator,
  BreachedPasswords,
  ClientCertificatesOptions,
  Directory,
  KeyRing,
  PasswordHasher,
  ProgramSignIns,
  RefreshTokens,
  Seal,
  SecondFactor,
  SignInProvider,
  TokenIssuer,
} from '../auth/index.ts';
import type { Clock, Logger, Random } from '../base/index.ts';
import type { Content, Inventory, LinkReads, LinkWrites, Quotas } from '../content/index.ts';
import type { Digest, ManifestKind, Reference, Repository, Tag } from '../oci/index.ts';
import type { Traffic } from '../traffic/index.ts';
import type {
  FactReads,
  FactWrites,
  ReadReport,
  ScanRequests,
  Trials,
  Verdicts,
  Vouchers,
} from '../verdicts/index.ts';

export interface ApiParts {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly tokens: TokenIssuer;
  readonly refreshTokens: RefreshTokens;
  readonly hasher: PasswordHasher;
  readonly secondFactor: SecondFactor;
  /** Absent: no client certificates are asked for. */
  readonly certificateRules?: ClientCertificatesOptions | undefined;
  /** On whose pages people may sign in, in the order of their buttons. */
  readonly providers: readonly SignInProvider[];
  readonly programs: ProgramSignIns;
  /** Seals what a browser keeps for us. */
  readonly seal: Seal;
  /** Absent where no list is configured. */
  readonly breached?: Pick<BreachedPasswords, 'holds'> | undefined;
  readonly keys: KeyRing;
  readonly accounts: AccountReads & AccountWrites;
  readonly links: LinkReads;
  readonly linkWrites: Pick<LinkWrites, 'sweepPending' | 'unowned'>;
  readonly inventory: Inventory;
  readonly quotas: Pick<Quotas, 'list'>;
  readonly content: Content;
  readonly facts: FactReads & FactWrites;
  readonly verdicts: Verdicts;
  readonly trials: Trials;
  readonly scans: ScanRequests;
  readonly vouchers: Pick<Vouchers, 'findVouched'>;
  /** Names that rules about signatures may ask for. */
  readonly signers: () => readonly string[];
  readonly records: RecordIndexReads;
  readonly log: LogKeeper;
  readonly feeds: FeedRefresh;
  readonly webhooks: WebhookKeeper;
  readonly audit: Audit;
  readonly registries: Registries;
  readonly imports: Imports;
  readonly traffic: Pick<Traffic, 'arrive' | 'claim'>;
  readonly reports: Reports;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** How far what follows the access log is behind it. */
export interface LogState {
  /** Under the newest checkpoint. */
  readonly records: number;
  /** In the search index. */
  readonly indexed: number;
  readonly outlets: readonly {
    readonly name: string;
    readonly kind: string;
    readonly next: number;
    readonly lag: number;
    readonly isHealthy: boolean;
    readonly rejected: number;
    readonly lastError?: string;
    readonly lastSentAt?: string;
  }[];
}

/** Port: what keeps the log, in the housekeeping process. */
export interface LogKeeper {
  state(): Promise<LogState>;
  /** Empties the search index, which is then filled anew from the log; `state` says how far it is. */
  reindex(): Promise<void>;
}

/** Port: loads the lists that rules look into, in the housekeeping process. */
export interface FeedRefresh {
  /** Resolves when each of them was looked at; what went wrong is kept beside it. */
  refreshAll(): Promise<void>;
}

/** Port: who is told of events, in the housekeeping process. */
export interface WebhookKeeper {
  states(): Promise<
    readonly {
      readonly name: string;
      readonly host: string;
      readonly events: readonly string[];
      readonly repositories: string;
      readonly isHealthy: boolean;
      readonly waiting: number;
      readonly dead: number;
      readonly lastError?: string;
      readonly lastSentAt?: string;
      readonly lastDead: readonly {
        readonly id: string;
        readonly event: string;
        readonly queuedAt: string;
        readonly attempts: number;
        readonly reason: string;
      }[];
    }[]
  >;
  test(
    name: string,
  ): Promise<
    { readonly outcome: 'taken' | 'unknown' } | { readonly outcome: 'failed'; readonly reason: string }
  >;
}

/** Port: what the API asks of the registries behind the gateway. */
export interface Registries {
  /** The repository that a client means by a plain name: a default mirror puts its prefix before it. */
  nameOf(repository: Repository): Repository;
  resolve(repository: Repository, reference: Reference): Promise<Digest | undefined>;
  health(): Promise<
    readonly {
      readonly prefix: string;
      readonly kind: string;
      readonly isHealthy: boolean;
      readonly note: string;
    }[]
  >;
}

/** Port: what the API asks for scan results that come from elsewhere. */
export interface Reports {
  readonly read: ReadReport;
  /** @returns `undefined` when it cannot be read as a manifest. */
  readImage(
    repository: Repository,
    digest: Digest,
  ): Promise<{ readonly kind: ManifestKind; readonly config?: Digest } | undefined>;
  /**
   * Attaches a document of the content store to an image, as an artifact that refers to it.
   *
   * @returns `false` where the image lies in a registry behind us.
   */
  attach(
    repository: Repository,
    subject: Digest,
    document: { readonly artifactType: string; readonly digest: Digest; readonly size: number },
    pushedBy: string,
  ): Promise<boolean>;
}

/** Port: reads what a registry behind us holds, before anybody pulls it. */
export interface Imports {
  /** Names that begin with `prefix`, in byte order; only of registries behind us. */
  listRepositories(prefix: string): Promise<readonly Repository[]>;
  /** @returns `undefined` when no registry behind us holds the repository. */
  importTags(task: {
    readonly repository: Repository;
    readonly after?: Tag;
    readonly isOver: () => boolean;
  }): Promise<ImportedTags | undefined>;
}

export interface ImportedTags {
  readonly tags: number;
  readonly added: number;
  readonly known: number;
  readonly failures: readonly { readonly reference: string; readonly problem: string }[];
  readonly next?: Tag;
  readonly pause?: { readonly seconds: number; readonly problem: string; readonly isAsked: boolean };
}

export interface ApiOptions {
  readonly version: string;
  /** `service` and `aud` of tokens. */
  readonly service: string;
  /** Where browsers reach us, without a slash at the end. */
  readonly publicUrl: string;
}
