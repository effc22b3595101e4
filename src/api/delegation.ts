import type { GrantPlace, NewGrant } from '../auth/index.ts';
import { delegate, type Grant, managesGrants } from '../roles/index.ts';
import type { OperationContext } from './operation.ts';

type Given = Pick<Grant, 'actions' | 'pattern' | 'effect' | 'untilMs'>;

/** @returns what the caller lacks to give the grant under its own rights, as a sentence. */
export async function lacksToGive(grant: NewGrant, context: OperationContext): Promise<string | undefined> {
  const role = (await context.parts.accounts.listRoles()).find(({ name }) => name === grant.role);
  return lacksFor([{ ...grant, actions: role?.actions ?? [] }], context);
}

/** The same for taking away all that is there. */
export async function lacksToTake(place: GrantPlace, context: OperationContext): Promise<string | undefined> {
  const grants = (await context.parts.accounts.listGrants()).filter((one) => isAt(one, place));
  // What is not there needs the right to manage grants there all the same, else one could ask who holds what.
  const asked: Given = { actions: [], pattern: place.pattern, effect: 'allow' };
  return lacksFor(grants.length === 0 ? [asked] : grants, context);
}

/** The same for looking at who may do what there. */
export function lacksToManage(pattern: string, context: OperationContext): Promise<string | undefined> {
  return lacksFor([{ actions: [], pattern, effect: 'allow', untilMs: context.parts.clock.nowMs() }], context);
}

/** Whether the caller may administer everything, so that no rights of its own are looked at. */
export async function managesAll({ parts, identity }: OperationContext): Promise<boolean> {
  return (await parts.directory.can(identity, 'users.manage', undefined)).isAllowed;
}

/** Which grants the caller may see: all; else its own, and those on patterns on which it manages grants. */
export async function visibleGrants(
  grants: readonly Grant[],
  context: OperationContext,
): Promise<readonly Grant[]> {
  if (await managesAll(context)) return grants;
  const held = await heldBy(context);
  const own = new Set(held.map(({ id }) => id));
  const nowMs = context.parts.clock.nowMs();
  const isManaged = new Map<string, boolean>();
  const manages = managesGrants(held, nowMs)
    ? (pattern: string): boolean => {
        const known =
          isManaged.get(pattern) ??
          delegate({ held, grant: { actions: [], pattern, effect: 'allow', untilMs: nowMs }, nowMs })
            .isAllowed;
        isManaged.set(pattern, known);
        return known;
      }
    : () => false;
  return grants.filter(({ id, pattern }) => own.has(id) || manages(pattern));
}

function isAt(grant: Grant, { role, pattern, subject }: GrantPlace): boolean {
  return (
    grant.role === role &&
    grant.pattern === pattern &&
    grant.subject.kind === subject.kind &&
    (subject.kind === 'anonymous' || grant.subject.name === subject.name)
  );
}

async function lacksFor(grants: readonly Given[], context: OperationContext): Promise<string | undefined> {
  const held = await heldBy(context);
  const nowMs = context.parts.clock.nowMs();
  for (const grant of grants) {
    const answer = delegate({ held, grant, nowMs });
    if (!answer.isAllowed) return answer.lacks;
  }
  return undefined;
}

/** What a token narrows, of whichever kind, gives no rights over others. */
async function heldBy({ parts, identity }: OperationContext): Promise<readonly Grant[]> {
  if (identity.scopes !== undefined || identity.personalTokenId !== undefined) return [];
  return (await parts.directory.accessOf(identity.principal)).grants;
}
