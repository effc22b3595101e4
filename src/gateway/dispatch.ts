import { jsonAnswer } from './answer.ts';
import type { Call, CallOf } from './call.ts';
import { planCatalog, planReferrers, planTags } from './lists.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, deny, type Plan } from './plan.ts';
import { planBlobPull } from './pull-blob.ts';
import { planManifestPull } from './pull-manifest.ts';
import { planManifestPush } from './push-manifest.ts';
import { methodRefusal, planRemoval } from './remove.ts';
import type { Route } from './route.ts';
import { planUpload, planUploadStart } from './uploads.ts';

/** Methods of each kind of route; anything else is 405. The matrix of rights in the tests is generated from it. */
export const METHODS = {
  base: ['GET', 'HEAD'],
  catalog: ['GET'],
  tags: ['GET'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  referrers: ['GET'],
  uploads: ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
} as const satisfies Readonly<Record<Route['kind'], readonly string[]>>;

/** Leads a call to the handler of its route and method. */
export async function dispatch(call: Call, parts: GatewayParts, options: GatewayOptions): Promise<Plan> {
  const allowed: readonly string[] = METHODS[call.route.kind];
  if (!allowed.includes(call.method)) {
    return deny({ action: 'request', reason: 'method.unsupported' }, methodRefusal(call, allowed));
  }
  switch (call.route.kind) {
    case 'base':
      return allow({ action: 'sign-in' }, 200, async () => jsonAnswer({}));
    case 'catalog':
      return planCatalog({ ...call, route: call.route }, parts, options);
    case 'tags':
      return planTags({ ...call, route: call.route }, parts, options);
    case 'referrers':
      return planReferrers({ ...call, route: call.route }, parts, options);
    case 'uploads':
      return planUploadStart({ ...call, route: call.route }, parts, options);
    case 'upload':
      return planUpload({ ...call, route: call.route }, parts, options);
    case 'manifest':
      return manifest({ ...call, route: call.route }, parts, options);
    case 'blob':
      return call.method === 'DELETE'
        ? planRemoval({ ...call, route: call.route }, parts, options)
        : planBlobPull({ ...call, route: call.route }, parts, options);
  }
}

function manifest(call: CallOf<'manifest'>, parts: GatewayParts, options: GatewayOptions): Promise<Plan> {
  if (call.method === 'PUT') return planManifestPush(call, parts, options);
  if (call.method === 'DELETE') return planRemoval(call, parts, options);
  return planManifestPull(call, parts, options);
}
