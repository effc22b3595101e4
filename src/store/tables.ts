import type { Generated, GeneratedAlways, Kysely } from 'kysely';
import type { AccessRecord } from '../audit/index.ts';
import type { Account } from '../auth/index.ts';
import type { Change } from '../base/index.ts';
import type { BlobOwner } from '../content/index.ts';
import type { Descriptor, Digest, ManifestKind, Repository, Tag } from '../oci/index.ts';
import type { FeedName, FindingKind, Package, Policy, RuleName, Severity } from '../policy/index.ts';
import type { Action, Allowance, Grant, GrantSubject } from '../roles/index.ts';
import type { Sbom } from '../verdicts/index.ts';
import type { JsonText } from './json-text.ts';

/**
 * The tables as TypeScript sees them; the same on every database. Truth is 0 or 1, instants are milliseconds,
 * absent is null. Branded columns hold only what came in branded, so what comes out needs no check.
 */
type Flag = 0 | 1;

export interface AccountsTable {
  id: string;
  kind: Account['kind'];
  name: string;
  /** The name as it is compared: no two accounts of a kind may differ in case only. */
  name_key: string;
  secret_hash: string;
  is_disabled: Flag;
  not_before_ms: number;
  created_at_ms: number;
  expires_at_ms: number | null;
  previous_secret_hash: string | null;
  previous_until_ms: number | null;
  last_used_at_ms: number | null;
  last_used_from: string | null;
  /** Sealed. */
  second_factor: string | null;
  factor_step: number | null;
  pending_factor: string | null;
}

interface EndedSessionsTable {
  id: string;
  account_id: string;
  until_ms: number;
}

export interface ProgramSignInsTable {
  secret_hash: string;
  code_hash: string | null;
  challenge: string | null;
  source: string;
  created_at_ms: number;
  until_ms: number;
  /** Null while it waits, and where it was refused. */
  account_id: string | null;
  /** Null while it waits. */
  decided_at_ms: number | null;
}

interface RecoveryCodesTable {
  account_id: string;
  code_hash: string;
}

/** Identifiers of removed accounts: never given again, so that a name that returns inherits nothing. */
interface SpentIdsTable {
  id: string;
}

interface GroupsTable {
  id: string;
  name: string;
  name_key: string;
}

interface GroupMembersTable {
  group_id: string;
  account_id: string;
  /** The directory that says so; null where it was said here. */
  provider: string | null;
}

interface ExternalIdentitiesTable {
  provider: string;
  subject: string;
  account_id: string;
}

interface RolesTable {
  name: string;
  actions: JsonText<readonly Action[]>;
  is_built_in: Flag;
  /** Null is no, as for roles of before this was kept. */
  needs_factor: Flag | null;
}

interface GrantsTable {
  id: string;
  role: string;
  pattern: string;
  subject_kind: GrantSubject['kind'];
  /** Set for a user or robot. */
  account_id: string | null;
  /** Set for a group. */
  group_id: string | null;
  effect: Grant['effect'];
  from_ms: number | null;
  until_ms: number | null;
  /** Null for what was given before this was kept. */
  created_at_ms: number | null;
  /** Set where somebody gave it under its own rights. */
  given_by: string | null;
  /** What of the role the giver could give; null: all of it, whatever the role becomes. */
  actions_max: JsonText<readonly Action[]> | null;
}

export interface RefreshTokensTable {
  id: string;
  account_id: string;
  service: string;
  client_id: string;
  secret_hash: string;
  created_at_ms: number;
  last_used_at_ms: number;
  last_used_from: string | null;
}

export interface PersonalTokensTable {
  id: string;
  account_id: string;
  name: string;
  secret_hash: string;
  previous_secret_hash: string | null;
  previous_until_ms: number | null;
  allows: JsonText<readonly Allowance[]>;
  created_at_ms: number;
  expires_at_ms: number;
  last_used_at_ms: number | null;
  last_used_from: string | null;
}

/** What follows from a manifest's bytes; the same in every repository. */
interface ManifestsTable {
  digest: Digest;
  media_type: string;
  kind: ManifestKind;
  size: number;
  artifact_type: string | null;
  annotations: JsonText<Readonly<Record<string, string>>>;
  subject: Digest | null;
  children: JsonText<readonly Descriptor[]>;
  /** These three are null in rows that an older version wrote. */
  content_size: number | null;
  layer_count: number | null;
  media_types: JsonText<readonly string[]> | null;
}

/** Which manifests an index lists. */
interface ManifestChildrenTable {
  child: Digest;
  manifest: Digest;
}

interface ManifestBlobsTable {
  manifest: Digest;
  blob: Digest;
  /** `child`: an index may list what is no manifest (BuildKit's caches do). */
  place: 'config' | 'layer' | 'elsewhere' | 'child';
}

interface RepositoryManifestsTable {
  repository: Repository;
  digest: Digest;
  owner: 'origin' | 'cached';
  /** Repeated here for the referrers' index. */
  subject: Digest | null;
  pushed_by: string | null;
  linked_at_ms: number;
}

interface RepositoryBlobsTable {
  repository: Repository;
  digest: Digest;
  owner: BlobOwner;
  size: number;
  /** Set while `pending`. */
  until_ms: number | null;
}

interface TagsTable {
  repository: Repository;
  tag: Tag;
  digest: Digest;
  set_at_ms: number;
}

/** Digests from which a tag was taken by another. */
interface SupersededTable {
  repository: Repository;
  digest: Digest;
  at_ms: number;
}

interface DeniedDigestsTable {
  digest: Digest;
  reason: string;
  author: string;
  at_ms: number;
}

interface DigestsTable {
  digest: Digest;
  kind: ManifestKind;
  first_seen_at_ms: number;
  created_at_ms: number | null;
  base_created_at_ms: number | null;
}

interface ScansTable {
  digest: Digest;
  scanner: string;
  at_ms: number;
  version: string;
  status: 'done' | 'unscannable';
  reason: string | null;
  author: string | null;
}

interface SbomsTable {
  digest: Digest;
  scanner: string;
  format: Sbom['format'];
  /** In the content store. */
  document: Digest | null;
  document_size: number | null;
  packages: JsonText<readonly Package[]>;
}

export interface FindingsTable {
  digest: Digest;
  scanner: string;
  /** Place in the report. */
  position: number;
  kind: FindingKind;
  finding: string;
  severity: Severity;
  title: string;
  location: string | null;
  blob: Digest | null;
  package: string | null;
  installed_version: string | null;
  fixed_version: string | null;
  cvss: number | null;
  published_at_ms: number | null;
  epss: number | null;
  is_exploited: Flag | null;
}

interface PoliciesTable {
  name: string;
  owner: 'api' | 'config' | 'shipped';
  /** Null: removed on purpose; what ships with a new version does not bring it back. */
  policy: JsonText<Policy> | null;
}

/** Every version of every policy that there was; the newest is the one in `policies`. */
interface PolicyVersionsTable {
  name: string;
  version: number;
  at_ms: number;
  author: string;
  /** Null: removed. */
  policy: JsonText<Policy> | null;
}

interface WaiversTable {
  id: string;
  /** One of these two is set. */
  finding: string | null;
  rule: RuleName | null;
  package: string | null;
  digest: Digest | null;
  pattern: string | null;
  reason: string;
  ticket: string | null;
  author: string;
  approved_by: string | null;
  ends_at_ms: number;
}

interface FeedsTable {
  name: FeedName;
  /** Of the rows that count. */
  generation: number;
  /** SHA-256 of the document. */
  revision: string;
  source: string;
  etag: string | null;
  last_modified: string | null;
  made_at_ms: number;
  as_of_ms: number;
  entries: number;
}

/** The last look at each source, whatever came of it. */
interface FeedTriesTable {
  name: FeedName;
  at_ms: number;
  /** Null: all is well. */
  problem: string | null;
}

interface EpssScoresTable {
  generation: number;
  cve: string;
  score: number;
  percentile: number;
}

interface KevEntriesTable {
  generation: number;
  cve: string;
  added_at_ms: number;
  due_at_ms: number | null;
}

interface WebhookMessagesTable {
  webhook: string;
  /** Order in which it is sent; of dead ones, in which they were queued. */
  place: number;
  id: string;
  event: string;
  body: string;
  queued_at_ms: number;
  attempts: number;
  not_before_ms: number;
  /** 0: nobody holds it. */
  held_until_ms: number;
  is_dead: Flag;
  reason: string | null;
}

interface WebhookCursorsTable {
  node: string;
  next: number;
}

interface WebhookSaidTable {
  message_key: string;
  until_ms: number;
}

interface WebhookNewsTable {
  digest: Digest;
  scanner: string;
  at_ms: number;
  status: ScansTable['status'];
}

interface WebhookAdmittedTable {
  repository: Repository;
  digest: Digest;
  at_ms: number;
}

/** The main tables: `dockgate.db`, or PostgreSQL. */
export interface MainTables {
  webhook_messages: WebhookMessagesTable;
  webhook_cursors: WebhookCursorsTable;
  webhook_said: WebhookSaidTable;
  webhook_news: WebhookNewsTable;
  webhook_admitted: WebhookAdmittedTable;
  accounts: AccountsTable;
  spent_ids: SpentIdsTable;
  groups: GroupsTable;
  group_members: GroupMembersTable;
  roles: RolesTable;
  grants: GrantsTable;
  refresh_tokens: RefreshTokensTable;
  personal_tokens: PersonalTokensTable;
  recovery_codes: RecoveryCodesTable;
  ended_sessions: EndedSessionsTable;
  program_sign_ins: ProgramSignInsTable;
  external_identities: ExternalIdentitiesTable;
  manifests: ManifestsTable;
  manifest_blobs: ManifestBlobsTable;
  repository_manifests: RepositoryManifestsTable;
  repository_blobs: RepositoryBlobsTable;
  manifest_children: ManifestChildrenTable;
  tags: TagsTable;
  superseded: SupersededTable;
  denied_digests: DeniedDigestsTable;
  digests: DigestsTable;
  scans: ScansTable;
  findings: FindingsTable;
  sboms: SbomsTable;
  policies: PoliciesTable;
  policy_versions: PolicyVersionsTable;
  waivers: WaiversTable;
  feeds: FeedsTable;
  feed_tries: FeedTriesTable;
  epss_scores: EpssScoresTable;
  kev_entries: KevEntriesTable;
}

interface JobsTable {
  digest: Digest;
  repository: Repository;
  /** The smaller, the more urgent. */
  priority: number;
  attempts: number;
  queued_at_ms: number;
  not_before_ms: number;
  /** 0: nobody holds it. */
  held_until_ms: number;
}

/** The scan queue: `scans.db`, or PostgreSQL. */
export interface ScanTables {
  jobs: JobsTable;
}

interface ChangesTable {
  seq: GeneratedAlways<number>;
  replica: string;
  changes: JsonText<readonly Change[]>;
  at_ms: Generated<number>;
}

interface SharedKeysTable {
  name: string;
  /** Sealed by a key that every replica has as a file. */
  sealed: string;
}

/** PostgreSQL alone: what replicas tell each other. */
export interface ReplicaTables {
  changes: ChangesTable;
  shared_keys: SharedKeysTable;
}

interface RecordsTable {
  leaf: number;
  time_ms: number;
  request_id: string;
  record: JsonText<AccessRecord>;
}

interface HoursTable {
  /** Hours since 1970. */
  hour: number;
  first_leaf: number;
  last_leaf: number;
}

interface TermsTable {
  id: Generated<number>;
  /** A TermField, or `all`: every record. */
  field: string;
  value: string;
  /** Records that have it. */
  count: number;
}

interface PostingsTable {
  term: number;
  leaf: number;
}

interface TermDaysTable {
  term: number;
  /** Days since 1970, UTC. */
  day: number;
  count: number;
}

/** `audit-index.db` */
interface LastUsesTable {
  principal_id: string;
  action: string;
  /** Empty where the action is on none. */
  repository: string;
  at_ms: number;
}

export interface IndexTables {
  records: RecordsTable;
  last_uses: LastUsesTable;
  hours: HoursTable;
  terms: TermsTable;
  postings: PostingsTable;
  term_days: TermDaysTable;
}

export type MainSql = Kysely<MainTables>;
export type ScanSql = Kysely<ScanTables>;
export type IndexSql = Kysely<IndexTables>;
