import type { Operation } from './operation.ts';
import { accessOperations } from './operations/access.ts';
import { exceptionOperations } from './operations/exceptions.ts';
import { feedOperations } from './operations/feeds.ts';
import { imageOperations } from './operations/images.ts';
import { importOperations } from './operations/imports.ts';
import { oversightOperations } from './operations/oversight.ts';
import { ownOperations } from './operations/own.ts';
import { peopleOperations } from './operations/people.ts';
import { policyOperations } from './operations/policies.ts';
import { recordOperations } from './operations/records.ts';
import { registryOperations } from './operations/registry.ts';
import { reportOperations } from './operations/reports.ts';
import { rightsOperations } from './operations/rights.ts';
import { robotOperations } from './operations/robots.ts';
import { secondFactorOperations } from './operations/second-factor.ts';
import { tokenOperations } from './operations/tokens.ts';
import { trialOperations } from './operations/trials.ts';
import { webhookOperations } from './operations/webhooks.ts';

/** Every call of the administration API, in the order of its documentation. */
export function allOperations(version: string): readonly Operation[] {
  return [
    ...peopleOperations,
    ...ownOperations,
    ...robotOperations,
    ...tokenOperations,
    ...secondFactorOperations,
    ...rightsOperations,
    ...accessOperations,
    ...imageOperations,
    ...reportOperations,
    ...importOperations,
    ...registryOperations,
    ...policyOperations,
    ...feedOperations,
    ...trialOperations,
    ...exceptionOperations,
    ...recordOperations(),
    ...webhookOperations,
    ...oversightOperations(version),
  ];
}
