import { isRefusal, printReference, type Refusal, refuse } from '../oci/index.ts';
import { checkAccess } from './access.ts';
import type { Answer } from './answer.ts';
import type { Call, CallOf } from './call.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, type DecisionFacts, deny, type Plan } from './plan.ts';
import { blobUnknown } from './pull-blob.ts';
import { manifestUnknown } from './pull-manifest.ts';
import { noRegistry } from './push-manifest.ts';
import { type Located, readOnlyRefusal } from './sources.ts';

/**
 * DELETE of a tag, a manifest or a blob. The same right for all three, by tag and by digest.
 *
 * @see OCI distribution-spec 1.1, end-9, end-10; threat N-14.
 */
export async function planRemoval(
  call: CallOf<'manifest'> | CallOf<'blob'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository } = call.route;
  const reference = call.route.kind === 'blob' ? call.route.digest : printReference(call.route.reference);
  const asked: DecisionFacts = { action: 'delete', repository, reference };
  const checked = await checkAccess(parts.directory, call, repository, ['delete'], {
    service: options.service,
    scopeActions: 'delete',
  });
  const facts: DecisionFacts = { ...asked, ...(checked.because ? { because: checked.because } : {}) };
  if (checked.refusal) return deny({ ...facts, reason: checked.reason ?? 'refused' }, checked.refusal);
  const located = parts.sources.locate(repository);
  if (!located) return deny({ ...facts, reason: 'name.unknown' }, noRegistry(repository));
  if (located.isReadOnly) {
    return deny({ ...facts, reason: 'upstream.read-only' }, readOnlyRefusal(repository));
  }
  if (!(await isThere(call, parts, located))) {
    return deny({ ...facts, reason: 'reference.unknown' }, unknown(call));
  }
  return allow(facts, 202, () => remove(call, parts, located));
}

type Removal = CallOf<'manifest'> | CallOf<'blob'>;

async function isThere(call: Removal, parts: GatewayParts, located: Located): Promise<boolean> {
  const { route } = call;
  if (route.kind === 'blob') {
    const held = await parts.links.findBlob(route.repository, route.digest);
    return held !== undefined || (await located.source.findBlob(located.name, route.digest)) !== undefined;
  }
  if (route.reference.kind === 'tag') {
    return (await located.source.resolve(located.name, route.reference.tag)) !== undefined;
  }
  const { digest } = route.reference;
  const linked = await parts.links.findManifest(route.repository, digest);
  return linked !== undefined || (await located.source.readManifest(located.name, digest)) !== undefined;
}

async function remove(call: Removal, parts: GatewayParts, located: Located): Promise<Answer | Refusal> {
  // Nobody asks an exclusive registry for a tag that is known: should this break off, it must not be any more.
  const wasKnown = located.isExclusive && isTag(call) && (await removeLinks(call, parts));
  const refusal = await removeAtSource(call, located);
  const isGone = !isRefusal(refusal) || refusal.status === 404;
  // The origin keeps its own links; those of a registry behind us are ours to drop, also when it had dropped it
  // before: a delete that broke off here must not leave behind what nobody could delete any more.
  const isDropped =
    located.source.kind === 'upstream' && isGone && ((await removeLinks(call, parts)) || wasKnown);
  if (isRefusal(refusal) && !isDropped) return refusal;
  return { status: 202, headers: { 'content-length': '0' } };
}

function removeAtSource(call: Removal, located: Located): Promise<Refusal | undefined> {
  const { source, name } = located;
  const { route } = call;
  if (route.kind === 'blob') return source.removeBlob(name, route.digest);
  return route.reference.kind === 'tag'
    ? source.removeTag(name, route.reference.tag)
    : source.removeManifest(name, route.reference.digest);
}

const isTag = ({ route }: Removal) => route.kind === 'manifest' && route.reference.kind === 'tag';

/** @returns whether there was one. */
function removeLinks({ route }: Removal, { linkWrites }: GatewayParts): Promise<boolean> {
  const { repository } = route;
  if (route.kind === 'blob') return linkWrites.removeBlob(repository, route.digest);
  const { reference } = route;
  return reference.kind === 'tag'
    ? linkWrites.removeTag(repository, reference.tag)
    : linkWrites.removeManifest(repository, reference.digest);
}

function unknown(call: Removal): Refusal {
  const { route } = call;
  return route.kind === 'blob'
    ? blobUnknown(route.repository, route.digest)
    : manifestUnknown(route.repository, route.reference);
}

/** What a method that the route does not have gets. */
export function methodRefusal(call: Pick<Call, 'method'>, allowed: readonly string[]): Refusal {
  return refuse('UNSUPPORTED', `dockgate: ${call.method} is not supported here`, {
    headers: { allow: allowed.join(', ') },
  });
}
