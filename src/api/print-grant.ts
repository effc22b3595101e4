import type { Grant } from '../roles/index.ts';
import type { GrantShape } from './contract.ts';

/** A grant as the API shows it. */
export function printGrant(grant: Grant): GrantShape {
  return {
    id: grant.id,
    role: grant.role,
    on: grant.pattern,
    subject: { kind: grant.subject.kind, name: grant.subject.name },
    effect: grant.effect,
    ...(grant.fromMs === undefined ? {} : { from: new Date(grant.fromMs).toISOString() }),
    ...(grant.untilMs === undefined ? {} : { until: new Date(grant.untilMs).toISOString() }),
    ...(grant.createdAtMs === undefined ? {} : { since: new Date(grant.createdAtMs).toISOString() }),
    ...(grant.givenBy === undefined ? {} : { givenBy: grant.givenBy }),
  };
}
