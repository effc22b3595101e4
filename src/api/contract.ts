import { z } from 'zod';
import { COUNTED_BY } from '../audit/index.ts';
import { parseDuration } from '../base/index.ts';
import { parseDigest, parsePattern } from '../oci/index.ts';
import { parsePolicyDocument, RULE_NAMES, UNWAIVABLE_RULES } from '../policy/index.ts';
import { parseAction } from '../roles/index.ts';
import { accessDocumentShape } from './access-document.ts';

/** The shapes of the API. The console and the CLI may import the types of this file and nothing else of the room. */

/** As auth/ reads names at sign-in; a name that this let through and that refused would be of no use. */
const name = z
  .string()
  .max(64, 'at most 64 characters')
  .regex(
    /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/,
    'lower-case letters and digits, with single ".", "_" or "-" between them',
  )
  .meta({ description: 'Name of a user, group, robot or role', example: 'alice' });

/** Records and grants name these two, so an account of the name could be taken for them. */
const RESERVED: readonly string[] = ['anonymous', 'local'];
const newAccountName = name.refine((text) => !RESERVED.includes(text), 'is reserved; choose another');

const policyName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'a-z 0-9 . _ - (at most 63, the first a letter or digit)')
  .meta({ description: 'Name of a policy', example: 'default' });

const repository = z.string().min(1).max(255).meta({ description: 'Repository', example: 'team/app' });
const pattern = z
  .string()
  .min(1)
  .max(512)
  .superRefine((text, context) => {
    const result = parsePattern(text);
    if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
  })
  .meta({ description: 'Repository pattern', example: 'team/**' });
const instant = z.iso.datetime().meta({ description: 'UTC', example: '2026-11-24T11:35:19.000Z' });

export const nameParams = z.strictObject({ name });
export const policyParams = z.strictObject({ name: policyName });

export const userShape = z.object({
  name,
  isDisabled: z.boolean(),
  createdAt: instant,
  groups: z.array(name),
});
export type UserShape = z.infer<typeof userShape>;

export const newUserShape = z.strictObject({ name: newAccountName, password: z.string().min(1).max(1024) });
export const passwordShape = z.strictObject({ password: z.string().min(1).max(1024) });

const password = z.string().min(1).max(1024);
const code = z.string().min(1).max(40).meta({ description: 'One-time code, or a recovery code' });
/** What whoever holds a session must show again before it changes how its owner signs in. */
export const reauthenticationShape = z.strictObject({ password, code: code.optional() });
export const enrollmentShape = z.object({ seed: z.string(), uri: z.string(), svg: z.string() });
export const factorConfirmationShape = z.strictObject({ password, code });
export const factorRemovalShape = z.strictObject({ password, code });
export const recoveryShape = z.object({ recoveryCodes: z.array(z.string()) });
export const roleFactorShape = z.strictObject({ isRequired: z.boolean() });

export const groupShape = z.object({ name, members: z.array(name) });
export const newGroupShape = z.strictObject({ name });
export const memberParams = z.strictObject({ name, user: name });

const lastUse = { lastUsedAt: instant.optional(), lastUsedFrom: z.string().optional() };

export const robotShape = z.object({
  name,
  isDisabled: z.boolean(),
  createdAt: instant,
  expiresAt: instant.optional(),
  previousUntil: instant.optional().meta({ description: 'Until then the secret before the last counts too' }),
  ...lastUse,
  warning: z.string().optional(),
});
export type RobotShape = z.infer<typeof robotShape>;
const life = z
  .string()
  .regex(/^\d{1,6}[smhdw]$/, 'a duration such as 30d, 12h or 15m')
  .refine((text) => parseDuration(text) !== 0, 'a life of no length');
export const newRobotShape = z.strictObject({
  name: newAccountName,
  expires: life.optional(),
});
export const rotationShape = z.strictObject({ overlap: life.optional() });
export const robotSecretShape = z.object({ name, secret: z.string() });

export const roleShape = z.object({
  name,
  actions: z.array(z.string()),
  isBuiltIn: z.boolean(),
  needsSecondFactor: z.boolean().optional(),
});
const action = z
  .string()
  .max(64)
  .refine((text) => parseAction(text) !== undefined, 'there is no such action');
export const roleActionsShape = z.strictObject({ actions: z.array(action).min(1).max(50) });

/** What a personal access token may do, where its owner may. */
const allowance = z.strictObject({ actions: z.array(action).min(1).max(50), on: pattern });
export const newTokenShape = z.strictObject({
  name,
  expires: life.optional(),
  allows: z.array(allowance).min(1).max(20).optional(),
});
/** By name or by id. */
const token = name.meta({ description: 'Name of a token, or id of a token or session', example: 'laptop' });
export const tokenParams = z.strictObject({ token });
export const userTokensParams = z.strictObject({ name });
export const userTokenParams = z.strictObject({ name, token });
export const tokenRotationShape = z.strictObject({ overlap: life.optional() });
export const tokenSecretShape = z.object({ name, secret: z.string(), expiresAt: instant });
export const tokenListShape = z.object({
  tokens: z.array(
    z.object({
      id: z.string(),
      name,
      allows: z.array(z.object({ actions: z.array(z.string()), on: z.string() })),
      createdAt: instant,
      expiresAt: instant,
      isOver: z.boolean(),
      ...lastUse,
      previousUntil: instant.optional(),
      warning: z.string().optional(),
    }),
  ),
  sessions: z.array(z.object({ id: z.string(), client: z.string(), createdAt: instant, ...lastUse })),
});
export type TokenListShape = z.infer<typeof tokenListShape>;

const subjectShape = z
  .strictObject({
    kind: z.enum(['user', 'group', 'robot', 'anonymous']),
    name: z.string().max(64).default(''),
  })
  .refine(({ kind, name }) => (kind === 'anonymous') === (name === ''), {
    path: ['name'],
    message: 'must be given, except for anonymous',
  });
export const newGrantShape = z.strictObject({
  role: name,
  on: pattern,
  subject: subjectShape,
  effect: z.enum(['allow', 'deny']).default('allow'),
  from: instant.optional(),
  until: instant.optional(),
});
/** Every grant of the role on the pattern to the subject, whatever its effect and dates. */
export const grantRemovalShape = newGrantShape.pick({ role: true, on: true, subject: true });
export const grantShape = z.object({
  id: z.string(),
  role: z.string(),
  on: z.string(),
  subject: z.object({ kind: z.string(), name: z.string() }),
  effect: z.string(),
  from: instant.optional(),
  until: instant.optional(),
  /** Absent for what was given before this was kept. */
  since: instant.optional(),
  /** Who gave it under rights of its own, by `roles.manage`. */
  givenBy: z.string().optional(),
});
export type GrantShape = z.infer<typeof grantShape>;
export const grantIdShape = z.object({ id: z.string() });

export const pageQuery = z.strictObject({
  last: z.string().max(300).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

export const repositoriesShape = z.object({ repositories: z.array(z.string()), next: z.string().optional() });

export const imagesQuery = z.strictObject({ repository, ...pageQuery.shape });
export const imageListShape = z.object({
  images: z.array(
    z.object({
      digest: z.string(),
      kind: z.string(),
      mediaType: z.string(),
      size: z.number(),
      tags: z.array(z.string()),
    }),
  ),
  next: z.string().optional(),
});

export const imageQuery = z.strictObject({
  repository,
  reference: z.string().min(1).max(200).meta({ description: 'Tag or digest', example: '1.4' }),
});
export const findingShape = z.object({
  kind: z.string(),
  id: z.string(),
  severity: z.string(),
  title: z.string(),
  by: z.string(),
  location: z.string().optional(),
  package: z.string().optional(),
  installedVersion: z.string().optional(),
  fixedVersion: z.string().optional(),
  cvss: z.number().optional(),
  epss: z.number().optional().meta({ description: 'Probability of exploitation within 30 days, 0 to 1' }),
  epssPercentile: z.number().optional(),
  exploitedSince: instant.optional().meta({ description: 'When CISA put it into its catalog (KEV)' }),
  dueAt: instant.optional().meta({ description: 'When the due date of the catalog is over' }),
});
export const reasonShape = z.object({
  rule: z.string(),
  policy: z.string(),
  text: z.string(),
  findings: z.array(findingShape),
});
export const verdictShape = z.object({
  outcome: z.enum(['allow', 'block', 'unscanned']),
  reasons: z.array(reasonShape),
  warnings: z.array(reasonShape),
  validUntil: instant.optional(),
});
const signatureShape = z.object({
  by: z.string().meta({ description: 'The key or identity of the configuration', example: 'release-key' }),
  who: z.string().optional().meta({ description: 'Whom the certificate names' }),
  issuer: z.string().optional().meta({ description: 'Who says so' }),
  at: instant.optional().meta({ description: 'When it was signed, where that is known' }),
  until: instant.optional().meta({ description: 'When it counts no more' }),
  predicateType: z.string().optional().meta({ description: 'Of an attestation' }),
  builder: z.string().optional(),
  source: z.string().optional(),
});
export const imageShape = z.object({
  repository: z.string(),
  reference: z.string(),
  digest: z.string(),
  kind: z.string(),
  firstSeenAt: instant.optional(),
  createdAt: instant.optional(),
  baseCreatedAt: instant.optional(),
  supersededAt: instant.optional(),
  scans: z.array(
    z.object({
      by: z.string(),
      at: instant,
      version: z.string(),
      status: z.string(),
      reason: z.string().optional(),
      author: z.string().optional().meta({ description: 'Who pushed the result' }),
    }),
  ),
  findings: z.array(findingShape),
  signatures: z
    .array(signatureShape)
    .optional()
    .meta({ description: 'Whose signatures and attestations count here; absent: its registry is away' }),
  rejectedSignatures: z
    .array(z.string())
    .optional()
    .meta({ description: 'Why each other one counts for nothing' }),
  verdict: verdictShape,
});
export type ImageShape = z.infer<typeof imageShape>;

export const pushReportShape = z.strictObject({
  ...imageQuery.shape,
  report: z.string().min(2).meta({ description: 'The JSON document, as text' }),
});
export const pushedReportShape = z.object({
  digest: z.string(),
  by: z.string().meta({ description: 'The name under which policies know it', example: 'ci-trivy' }),
  tool: z.string(),
  findings: z.number(),
  packages: z.number().optional(),
  isAttached: z.boolean().meta({ description: 'Whether the SBOM is a referrer of the image now' }),
});
export const scanStatusShape = z.object({
  queued: z.number(),
  running: z.array(z.object({ repository: z.string(), digest: z.string(), forMs: z.number() })),
  scanners: z.array(
    z.object({
      name: z.string(),
      version: z.string().optional(),
      problem: z.string().optional(),
      scanned: z.number(),
      outdated: z.number(),
    }),
  ),
});
export const sbomQuery = z.strictObject({
  ...imageQuery.shape,
  format: z.enum(['cyclonedx', 'spdx']).optional(),
});
export const sbomShape = z.object({
  digest: z.string(),
  by: z.string(),
  format: z.string(),
  at: instant,
  document: z.string(),
});

const digestText = z
  .string()
  .max(200)
  .refine((text) => parseDigest(text) !== undefined, 'is no digest');
const why = z.string().min(5, 'must say why, in 5 characters or more').max(1000);
const waivableRule = z.enum(
  RULE_NAMES.filter((rule) => !UNWAIVABLE_RULES.includes(rule)),
  'is no rule that can be waived',
);

export const waiverShape = z.object({
  id: z.string(),
  finding: z.string().optional(),
  package: z.string().optional(),
  rule: z.string().optional(),
  digest: z.string().optional(),
  on: z.string().optional(),
  reason: z.string(),
  ticket: z.string().optional(),
  author: z.string(),
  approvedBy: z.string().optional(),
  endsAt: instant,
});
export const newWaiverShape = z
  .strictObject({
    finding: z.string().min(1).max(200).optional(),
    rule: waivableRule.optional(),
    digest: digestText.optional(),
    on: pattern.optional(),
    reason: why,
    ticket: z.string().min(1).max(200).optional(),
    endsAt: instant,
  })
  .refine(
    (waiver) => (waiver.finding === undefined) !== (waiver.rule === undefined),
    'give either finding or rule',
  )
  .refine(
    (waiver) => (waiver.digest === undefined) !== (waiver.on === undefined),
    'give either digest or on',
  );

export const vexShape = z.strictObject({
  document: z.string().min(1),
  on: pattern.optional(),
  ticket: z.string().min(1).max(200).optional(),
  endsAt: instant,
});
export const importedVexShape = z.object({
  /** Of the waivers that were added. */
  ids: z.array(z.string()),
  /** Excused already, until the same instant or later. */
  known: z.number(),
  /** Products that are not named by a digest, or by a package that cannot be told. */
  unnamed: z.number(),
});

export const deniedShape = z.object({
  digest: z.string(),
  reason: z.string(),
  author: z.string(),
  at: instant,
});
export const digestParams = z.strictObject({ digest: digestText });
export const newDeniedShape = z.strictObject({ digest: digestText, reason: why });

export const policyVersionShape = z.object({
  name: z.string(),
  version: z.number(),
  at: instant,
  author: z.string(),
  policy: z.record(z.string(), z.unknown()).optional(),
});
export const policyVersionParams = z.strictObject({
  ...policyParams.shape,
  version: z.coerce.number().int().min(1),
});

const recordConditions = {
  user: z.string().max(64).optional(),
  action: z.string().max(64).optional(),
  repository: z.string().max(255).optional(),
  outcome: z.enum(['allowed', 'refused', 'limited']).optional(),
  digest: z.string().max(140).optional(),
  address: z.string().max(64).optional(),
  reason: z.string().max(64).optional(),
  rule: z.string().max(128).optional(),
  since: instant.optional(),
  until: instant.optional(),
};
const leafIndex = z.coerce.number().int().min(0);
export const recordsQuery = z.strictObject({
  ...recordConditions,
  requestId: z.string().max(64).optional(),
  before: leafIndex.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export const recordsShape = z.object({
  records: z.array(z.object({ index: z.number(), record: z.record(z.string(), z.unknown()) })),
  next: z.number().optional(),
});
export const followQuery = z.strictObject({
  ...recordConditions,
  after: leafIndex.optional(),
  wait: z.coerce.number().int().min(0).max(20).default(0),
});
export const followShape = z.object({ ...recordsShape.shape, next: z.number() });
export const countsQuery = z.strictObject({
  ...recordConditions,
  by: z.enum(COUNTED_BY),
  before: leafIndex.optional(),
});
export const countsShape = z.object({
  counts: z.array(z.object({ value: z.string(), count: z.number() })),
  next: z.number().optional(),
});

export const exposedQuery = z
  .strictObject({ finding: z.string().min(1).max(200).optional(), digest: digestText.optional() })
  .refine(
    ({ finding, digest }) => (finding === undefined) !== (digest === undefined),
    'give either finding or digest',
  );
export const exposedShape = z.object({ digests: z.array(z.string()) });

export const explainQuery = z.strictObject({
  principal: z.string().min(1).max(64).meta({ description: 'User or robot; `anonymous`', example: 'alice' }),
  action: z.string().min(1).max(40),
  repository,
  reference: z.string().max(200).optional(),
  token: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'Name or id of a personal access token of the user', example: 'laptop' }),
  /** Of a token, as clients ask for it; absent: no token limits the caller. */
  scope: z
    .string()
    .max(2500)
    .optional()
    .meta({ description: "The token's scopes", example: 'repository:team/app:pull' }),
});
export const explanationShape = z.object({
  isAllowed: z.boolean(),
  steps: z.array(z.object({ step: z.string(), isPassed: z.boolean(), text: z.string() })),
  /** Every grant that speaks of the action there; one of them decides, unless none is live. */
  grants: z.array(grantShape.extend({ state: z.enum(['live', 'ended', 'not begun']), decides: z.boolean() })),
});
export type ExplanationShape = z.infer<typeof explanationShape>;

export const whoCanQuery = z.strictObject({
  action: z
    .string()
    .max(64)
    .refine((text) => parseAction(text) !== undefined, 'there is no such action'),
  repository,
});
export const whoCanShape = z.object({
  principals: z.array(z.object({ kind: z.string(), name: z.string(), because: grantShape })),
});

export const reviewQuery = z.strictObject({
  days: z.coerce.number().int().min(1).max(3650).default(90),
});
/** One grant that one principal holds, itself, by a group or because everybody does. */
const heldShape = z.object({
  kind: z.string(),
  name: z.string(),
  state: z.enum(['active', 'disabled', 'expired']),
  by: z.string(),
  grant: grantShape.extend({ state: z.enum(['live', 'ended', 'not begun']) }),
  actions: z.array(z.string()),
  lastUsed: instant.optional(),
  /** In none of the asked days. */
  isUnused: z.boolean(),
});
export const reviewShape = z.object({ held: z.array(heldShape) });
export type HeldShape = z.infer<typeof heldShape>;

export const applyInput = z.strictObject({
  document: accessDocumentShape,
  isDryRun: z.boolean().default(false),
  isPruning: z.boolean().default(false),
});
export const applyShape = z.object({
  isApplied: z.boolean(),
  changes: z.array(
    z.object({
      do: z.string(),
      what: z.string(),
      before: z.unknown().optional(),
      after: z.unknown().optional(),
    }),
  ),
});

const outletShape = z.object({
  name: z.string(),
  kind: z.string(),
  next: z.number().meta({ description: 'The first record that was not delivered' }),
  lag: z.number().meta({ description: 'Records that were not delivered' }),
  isHealthy: z.boolean(),
  rejected: z.number().meta({ description: 'Records that the receiver will never take' }),
  lastError: z.string().optional(),
  lastSentAt: instant.optional(),
});
export const statusShape = z.object({
  version: z.string(),
  isLogWritable: z.boolean(),
  log: z.object({ records: z.number(), indexed: z.number(), outlets: z.array(outletShape) }),
  registries: z.array(
    z.object({ prefix: z.string(), kind: z.string(), isHealthy: z.boolean(), note: z.string() }),
  ),
});
export const webhookName = z.strictObject({ name: z.string().min(1).max(63) });
export const webhookListShape = z.object({
  webhooks: z.array(
    z.object({
      name: z.string(),
      host: z.string(),
      events: z.array(z.string()),
      repositories: z.string(),
      isHealthy: z.boolean().meta({ description: 'Whether its last try succeeded' }),
      waiting: z.number(),
      dead: z.number().meta({ description: 'Messages that were given up' }),
      lastError: z.string().optional(),
      lastSentAt: instant.optional(),
      lastDead: z.array(
        z.object({
          id: z.string(),
          event: z.string(),
          queuedAt: instant,
          attempts: z.number(),
          reason: z.string(),
        }),
      ),
    }),
  ),
});
export const webhookTestShape = z.object({ isTaken: z.boolean(), reason: z.string().optional() });
export const meShape = z.object({
  kind: z.string(),
  name: z.string(),
  via: z.string(),
  warnings: z.array(z.string()).meta({ description: 'What ends soon' }),
});

export const feedsShape = z.object({
  feeds: z.array(
    z.object({
      name: z.string(),
      source: z.string().optional(),
      entries: z.number().optional(),
      revision: z.string().optional().meta({ description: 'SHA-256 of the document' }),
      madeAt: instant.optional().meta({ description: 'Of when it says it is' }),
      asOf: instant.optional().meta({ description: 'Its age counts from then' }),
      triedAt: instant.optional(),
      problem: z.string().optional().meta({ description: 'Why the last look brought nothing' }),
    }),
  ),
});

/** A policy file as a value. What is in it is said by policy/, whose words for what is wrong are used. */
export const policyDocumentShape = z.looseObject({ policies: z.array(z.unknown()) });
export const newPolicyDocumentShape = policyDocumentShape.superRefine(addDocumentProblems);

function addDocumentProblems(value: unknown, context: z.RefinementCtx): void {
  const parsed = parsePolicyDocument(value);
  if (parsed.ok) return;
  for (const { path, message } of parsed.problems) {
    context.addIssue({ code: 'custom', message: path === '' ? message : `${path}: ${message}` });
  }
}

export const tryPoliciesShape = z
  .strictObject({
    policies: z.array(z.unknown()).max(1000).optional().meta({ description: 'As of a policy file' }),
    without: z.array(policyName).max(1000).optional().meta({ description: 'As if these were removed' }),
    enforced: z.boolean().optional().meta({ description: 'As if `policies` were enforced' }),
    since: instant.optional().meta({ description: '30 days back unless told' }),
    before: z.int().min(0).optional().meta({ description: 'Where the page before ended: its `next`' }),
  })
  .superRefine(({ policies }, context) => {
    if (policies !== undefined) addDocumentProblems({ policies }, context);
  });
export const trialShape = z.object({
  since: instant,
  changed: z.array(
    z.object({
      repository: z.string(),
      digest: z.string(),
      tags: z.array(z.string()).meta({ description: 'By which it was asked for' }),
      change: z
        .enum(['blocked', 'unscanned', 'admitted'])
        .meta({ description: 'Refused; refused until it is scanned; let through, and refused now' }),
      before: verdictShape,
      after: verdictShape,
      pulls: z.number().meta({ description: 'That got it' }),
      refused: z.number().meta({ description: 'That a policy refused' }),
      lastAt: z.string(),
      principals: z
        .array(z.object({ name: z.string(), pulls: z.number(), refused: z.number() }))
        .optional()
        .meta({ description: 'For who may read the access log' }),
    }),
  ),
  images: z.number(),
  pulls: z.number(),
  next: z.number().optional(),
});
