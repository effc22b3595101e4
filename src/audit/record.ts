/** How a caller proved who it is. */
export type Via =
  | 'anonymous'
  | 'basic'
  | 'token'
  | 'refresh-token'
  | 'robot'
  | 'personal-token'
  | 'workload'
  | 'oidc'
  | 'browser'
  | 'certificate'
  | 'socket';

/**
 * What is known about one decision. `record` adds id, time, node, writer and sequence. Fields are an allow list:
 * there is none that could carry a credential.
 */
export interface AuditEntry {
  /** `decision`: one answer. `completion`: how a body's transfer ended. `summary`: counted, not listed. `system`. */
  readonly kind: 'decision' | 'completion' | 'summary' | 'system';
  /** Returned to the caller as X-Request-Id; a completion carries the id of its decision's request. */
  readonly requestId: string;
  /** `pull`, `push`, `delete`, `list`, `catalog`, `sign-in`, `token`, `connection`, `admin.grant.add` ... */
  readonly action: string;
  readonly outcome: 'allowed' | 'refused';
  /** HTTP status of the answer; 0 where there is none. */
  readonly status: number;
  /** Stable, dotted: `token.expired`, `grant.missing`, `policy.secrets`, `limit.sign-in`. */
  readonly reason?: string;
  readonly principal?: {
    readonly kind: string;
    readonly id: string;
    readonly name: string;
    readonly via: Via;
    /** jti of the token, id of the refresh or personal token. Never the token. */
    readonly tokenId?: string;
  };
  readonly client?: { readonly address: string; readonly userAgent?: string };
  readonly method?: string;
  readonly repository?: string;
  readonly reference?: string;
  readonly digest?: string;
  /** Grant or rule that decided. */
  readonly because?: string;
  readonly verdict?: {
    readonly outcome: string;
    readonly reasons: readonly {
      readonly policy: string;
      readonly rule: string;
      readonly findings: readonly string[];
    }[];
  };
  /** The body of the answer is streamed: a completion of the same request says how that ended. */
  readonly isTransfer?: boolean;
  /** Administration: what changed. */
  readonly change?: { readonly before?: unknown; readonly after?: unknown };
  /** Completions and summaries. */
  readonly bytes?: number;
  readonly durationMs?: number;
  readonly isAborted?: boolean;
  readonly count?: number;
  readonly note?: string;
}

/** One line of the log, schema version 1. */
export interface AccessRecord extends AuditEntry {
  readonly v: 1;
  readonly id: string;
  /** UTC with microseconds, never going back within a writer: `2026-11-24T11:35:19.123456Z`. */
  readonly time: string;
  readonly node: string;
  readonly writer: string;
  /** A writer's count from 1, without holes. */
  readonly seq: number;
}

export interface RecordOptions {
  /** The caller is an administrator: on a full disk the room that is kept for them may be used. */
  readonly isAdministrator?: boolean;
}

/** The one door through which a decision is recorded. */
export interface Audit {
  /**
   * Durable when it resolves.
   * @throws {AuditUnavailable} the log cannot be written (503 UNAVAILABLE); the caller answers nothing else.
   */
  record(entry: AuditEntry, options?: RecordOptions): Promise<AccessRecord>;
  /**
   * Recorded but not waited for: challenges and what is no request (design, chapter 2). Singly up to 100 a second
   * a node and 10 a second an address, above that as one summary record a second.
   */
  note(entry: AuditEntry): void;
  /** Recorded but not waited for: how the transfer of a recorded decision ended. */
  complete(entry: AuditEntry & { readonly kind: 'completion' }): void;
  /** Whether the last write succeeded; false makes /readyz fail. */
  isWritable(): boolean;
}
