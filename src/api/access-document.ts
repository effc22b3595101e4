import { z } from 'zod';
import type { Account, Group } from '../auth/index.ts';
import { parsePattern } from '../oci/index.ts';
import { type Grant, parseAction, type Role } from '../roles/index.ts';

const NAMES_MAX = 100_000;
const name = z
  .string()
  .max(64)
  .regex(
    /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/,
    'lower-case letters and digits, with single ".", "_" or "-" between them',
  )
  .refine((text) => text !== 'anonymous' && text !== 'local', 'is reserved');
const instant = z.iso.datetime();

const subject = z.union([
  z.literal('anonymous'),
  z.strictObject({ user: name }),
  z.strictObject({ group: name }),
  z.strictObject({ robot: name }),
]);

const grant = z.strictObject({
  role: name,
  on: z
    .string()
    .max(512)
    .superRefine((text, context) => {
      const result = parsePattern(text);
      if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
    }),
  to: subject,
  effect: z.enum(['allow', 'deny']).optional(),
  from: instant.optional(),
  until: instant.optional(),
});

/**
 * Who there is and who may what, as one file that can be kept in git. It holds no secret: a user or robot that it
 * adds can sign in only after a password was set or a secret made. A list that is absent is not looked at.
 */
export const accessDocumentShape = z.strictObject({
  version: z.literal(1),
  users: z
    .array(z.strictObject({ name, disabled: z.boolean().optional() }))
    .max(NAMES_MAX)
    .optional(),
  groups: z
    .array(z.strictObject({ name, members: z.array(name).max(NAMES_MAX) }))
    .max(NAMES_MAX)
    .optional(),
  robots: z
    .array(z.strictObject({ name, disabled: z.boolean().optional(), expires: instant.optional() }))
    .max(NAMES_MAX)
    .optional(),
  roles: z
    .array(
      z.strictObject({
        name,
        actions: z
          .array(z.string().refine((text) => parseAction(text) !== undefined, 'there is no such action'))
          .max(50),
      }),
    )
    .max(1000)
    .optional(),
  grants: z.array(grant).max(NAMES_MAX).optional(),
});
export type AccessDocument = z.infer<typeof accessDocumentShape>;
export type DocumentGrant = z.infer<typeof grant>;

/** Everything there is, as it is kept. */
export interface PresentAccess {
  readonly users: readonly Account[];
  readonly robots: readonly Account[];
  readonly groups: readonly Group[];
  readonly roles: readonly Role[];
  readonly grants: readonly Grant[];
}

/** The file that would set what is there now. */
export function toDocument(present: PresentAccess): AccessDocument {
  const disabled = ({ isDisabled }: Account) => (isDisabled ? { disabled: true } : {});
  return {
    version: 1,
    users: present.users.map((user) => ({ name: user.name, ...disabled(user) })),
    groups: present.groups.map((group) => ({ name: group.name, members: [...group.members] })),
    robots: present.robots.map((robot) => ({
      name: robot.name,
      ...disabled(robot),
      ...(robot.expiresAtMs === undefined ? {} : { expires: instantOf(robot.expiresAtMs) }),
    })),
    roles: present.roles
      .filter(({ isBuiltIn }) => !isBuiltIn)
      .map((role) => ({ name: role.name, actions: [...role.actions] })),
    grants: present.grants.map(toDocumentGrant),
  };
}

export function toDocumentGrant(grant: Grant): DocumentGrant {
  const { kind, name: of } = grant.subject;
  return {
    role: grant.role,
    on: grant.pattern,
    to:
      kind === 'anonymous'
        ? kind
        : kind === 'user'
          ? { user: of }
          : kind === 'group'
            ? { group: of }
            : { robot: of },
    ...(grant.effect === 'deny' ? { effect: grant.effect } : {}),
    ...(grant.fromMs === undefined ? {} : { from: instantOf(grant.fromMs) }),
    ...(grant.untilMs === undefined ? {} : { until: instantOf(grant.untilMs) }),
  };
}

function instantOf(ms: number): string {
  return new Date(ms).toISOString();
}
