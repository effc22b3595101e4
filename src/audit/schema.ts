import type { AccessRecord, AuditEntry, Via } from './record.ts';

/** Version of the record's schema: the `v` of each record. A field may be added within a version; none changes its meaning. */
const SCHEMA_VERSION = 1;

type JsonSchema = Readonly<Record<string, unknown>>;

const text = (description: string, rest: JsonSchema = {}): JsonSchema => ({
  type: 'string',
  ...rest,
  description,
});
const number = (description: string): JsonSchema => ({ type: 'number', description });
const object = (
  description: string,
  required: readonly string[],
  properties: Readonly<Record<string, JsonSchema>>,
): JsonSchema => ({ type: 'object', description, additionalProperties: false, required, properties });

/** A name of a node or writer, as in file names and in the checkpoint's origin line. */
const LOG_NAME = '^[a-z0-9][a-z0-9._-]{0,62}$';

const PRINCIPAL = object('Who asked, once proved.', ['kind', 'id', 'name', 'via'], {
  kind: text('`user`, `robot`, `anonymous`, `local`'),
  id: text('stable identifier, also after a rename'),
  name: text('the name at that time'),
  via: text('how it was proved', {
    enum: [
      'anonymous',
      'basic',
      'token',
      'refresh-token',
      'robot',
      'personal-token',
      'workload',
      'oidc',
      'browser',
      'certificate',
      'socket',
    ] satisfies readonly Via[],
  }),
  tokenId: text('`jti` of the token or id of the refresh or personal token; never the token'),
});

const CLIENT = object('Where the request came from.', ['address'], {
  address: text('IP address of the peer'),
  userAgent: text('as the client says it; proves nothing'),
});

const REASON = object('One rule that decided.', ['policy', 'rule', 'findings'], {
  policy: text('name of the policy'),
  rule: text('name of the rule in it'),
  findings: { type: 'array', items: { type: 'string' }, description: 'identifiers of findings' },
});

const VERDICT = object("The image's verdict the decision rests on.", ['outcome', 'reasons'], {
  outcome: text('`allow`, `block`, `unscanned`'),
  reasons: { type: 'array', items: REASON, description: 'what blocked; empty when nothing did' },
});

const CHANGE = object('Administration: what changed.', [], {
  before: { description: 'the value before; absent when there was none or it is not known' },
  after: { description: 'the value after; absent when it was removed' },
});

const STAMP: Readonly<Record<Exclude<keyof AccessRecord, keyof AuditEntry>, JsonSchema>> = {
  v: { const: SCHEMA_VERSION, description: 'version of this schema' },
  id: text('the record, unique'),
  time: text('UTC with microseconds, never going back within a writer', {
    pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$',
  }),
  node: text('the node whose log it is', { pattern: LOG_NAME }),
  writer: text('the process of the node that wrote it', { pattern: LOG_NAME }),
  seq: {
    type: 'integer',
    minimum: 1,
    description: "the writer's count, without holes and across restarts",
  },
};

const FIELDS: Readonly<Record<keyof AuditEntry, JsonSchema>> = {
  kind: text(
    '`decision`: one answer; `completion`: how the transfer of an allowed answer ended; `summary`: many of a flood, ' +
      'counted; `system`: what the log or a process says about itself',
    { enum: ['decision', 'completion', 'summary', 'system'] },
  ),
  requestId: text("the answer's X-Request-Id; a completion has that of its decision"),
  action: text(
    '`pull`, `push`, `delete`, `list`, `catalog`, `sign-in`, `token`, `admin.…`, `log.…` and others',
  ),
  outcome: text('what was decided', { enum: ['allowed', 'refused'] }),
  status: number('HTTP status of the answer; 0 where there is none'),
  reason: text('stable and dotted: `grant.missing`, `policy.secrets`, `sign-in.password`'),
  principal: PRINCIPAL,
  client: CLIENT,
  method: text('HTTP method'),
  repository: text('`team/app`'),
  reference: text('tag or digest as it was asked for'),
  digest: text('content the reference was resolved to, or the blob'),
  because: text('the grant or rule that decided'),
  verdict: VERDICT,
  isTransfer: {
    type: 'boolean',
    description: 'the body is streamed: a completion of the same request says how that ended',
  },
  change: CHANGE,
  bytes: number('bytes of the body that left, or of what a system record is about'),
  durationMs: number('milliseconds from the request to the end of the transfer'),
  isAborted: { type: 'boolean', description: 'the client or the gateway ended the transfer early' },
  count: number('how many requests a summary stands for'),
  note: text('a sentence for people'),
};

/** JSON Schema of one record: `docs/audit-schema.json`, `dockgate audit schema`. */
export const RECORD_SCHEMA: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: `urn:dockgate:audit-record:${SCHEMA_VERSION}`,
  title: 'dockgate access record',
  description:
    'One line of the access log, which is one leaf of its Merkle tree. Printable ASCII, at most 16384 bytes; a field ' +
    'that was too long ends with a mark `[cut: N characters, sha256:…]`.',
  type: 'object',
  additionalProperties: false,
  required: [...Object.keys(STAMP), 'kind', 'requestId', 'action', 'outcome', 'status'],
  properties: { ...STAMP, ...FIELDS },
};

/** The fields as a table in Markdown, nested ones dotted. */
export function printFieldTable(): string {
  const rows = fieldRows('', RECORD_SCHEMA).map(
    ({ name, type, isRequired, description }) =>
      `| \`${name}\` | ${type} | ${isRequired ? 'always' : ''} | ${description.replaceAll('|', '\\|')} |`,
  );
  return ['| field | type | | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

interface FieldRow {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
}

function fieldRows(prefix: string, schema: JsonSchema): readonly FieldRow[] {
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(membersOf(schema.properties)).flatMap(([key, value]) => {
    const member = membersOf(value);
    const name = `${prefix}${key}`;
    const row: FieldRow = {
      name,
      type: typeOf(member),
      isRequired: required.includes(key),
      description: String(member.description),
    };
    const items = membersOf(member.items);
    return [row, ...fieldRows(`${name}.`, member), ...fieldRows(`${name}[].`, items)];
  });
}

function typeOf(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${value}\``).join(' ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  return typeof schema.type === 'string' ? schema.type : 'any';
}

function membersOf(value: unknown): JsonSchema {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
