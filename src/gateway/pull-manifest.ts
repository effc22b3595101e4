import { type Digest, printReference, type Reference, type Repository, refuse } from '../oci/index.ts';
import { type Verdict, warningHeader } from '../policy/index.ts';
import { checkAccess } from './access.ts';
import type { Answer } from './answer.ts';
import { blockedRefusal, recordedVerdict, scanRunningRefusal } from './blocked.ts';
import type { Call, CallOf } from './call.ts';
import { type LoadedManifest, loadManifest, resolve } from './load.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, type DecisionFacts, deny, type Plan } from './plan.ts';

/**
 * GET and HEAD of a manifest: rights, then the tag to its digest, then the verdict on that digest, then exactly
 * that digest.
 *
 * @see OCI distribution-spec 1.1, end-3; design, "The life of a pull".
 */
export async function planManifestPull(
  call: CallOf<'manifest'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository, reference } = call.route;
  const asked: DecisionFacts = { action: 'pull', repository, reference: printReference(reference) };
  const isPusher = call.method === 'HEAD' && (await mayPush(call, parts, repository));
  const checked = await checkAccess(parts.directory, call, repository, [isPusher ? 'push' : 'pull'], {
    service: options.service,
    scopeActions: 'pull',
  });
  const because = checked.because ? { because: checked.because } : {};
  if (checked.refusal)
    return deny({ ...asked, ...because, reason: checked.reason ?? 'refused' }, checked.refusal);

  const digest = await resolve(parts, repository, reference);
  const loaded = digest ? await loadManifest(parts, repository, digest) : { kind: 'absent' as const };
  if (!digest || loaded.kind === 'absent') {
    return deny({ ...asked, ...because, reason: 'manifest.unknown' }, manifestUnknown(repository, reference));
  }
  const facts: DecisionFacts = { ...asked, ...because, digest };
  if (loaded.kind === 'unreadable') {
    const message = `dockgate: blocked ${repository}: ${loaded.problem}; what cannot be judged is not served`;
    return deny({ ...facts, reason: 'policy.unreadable' }, refuse('IMAGE_BLOCKED', message));
  }
  if (isPusher) {
    return allow({ ...facts, reason: 'head.pusher' }, 200, async () =>
      manifestAnswer(call, digest, loaded.manifest),
    );
  }
  return judged(call, parts, options, { facts, repository, digest, manifest: loaded.manifest });
}

async function judged(
  call: CallOf<'manifest'>,
  parts: GatewayParts,
  options: GatewayOptions,
  pulled: {
    readonly facts: DecisionFacts;
    readonly repository: Repository;
    readonly digest: Digest;
    readonly manifest: LoadedManifest;
  },
): Promise<Plan> {
  const { repository, digest } = pulled;
  const found = await parts.verdicts.verdictFor(repository, digest, {
    waitMsMax: options.holdMsMax,
    principalId: call.identity.principal.id,
    signal: call.signal,
  });
  const { verdict } = found;
  const facts = { ...pulled.facts, verdict: recordedVerdict(verdict) };
  const serve = async () => manifestAnswer(call, digest, pulled.manifest, verdict);
  if (verdict.outcome === 'allow') return allow(facts, 200, serve);
  if (await mayReadQuarantine(call, parts, repository, verdict)) {
    return allow({ ...facts, reason: 'quarantine.read' }, 200, serve);
  }
  if (verdict.outcome === 'unscanned') {
    return deny({ ...facts, reason: 'policy.unscanned' }, scanRunningRefusal(repository, found.restMs));
  }
  const refusal = blockedRefusal({
    repository,
    digest,
    verdict,
    decisionId: call.id,
    userAgent: call.userAgent,
  });
  return deny({ ...facts, reason: `policy.${verdict.reasons[0]?.rule ?? 'blocked'}` }, refusal);
}

/** HEAD follows the right to push: else a fixed image could not be pushed over a blocked one. */
export async function mayPush(call: Call, parts: GatewayParts, repository: Repository): Promise<boolean> {
  return (await parts.directory.can(call.identity, 'push', repository)).isAllowed;
}

/** Signing tools and external scanners read manifests of what is not admitted yet; malware stays refused. */
async function mayReadQuarantine(
  call: Call,
  parts: GatewayParts,
  repository: Repository,
  verdict: Verdict,
): Promise<boolean> {
  if (verdict.reasons.some((reason) => reason.rule === 'malware')) return false;
  return (await parts.directory.can(call.identity, 'quarantine.read', repository)).isAllowed;
}

export function manifestUnknown(repository: Repository, reference: Reference) {
  return refuse('MANIFEST_UNKNOWN', `dockgate: ${repository} has no manifest ${printReference(reference)}`);
}

function manifestAnswer(
  call: CallOf<'manifest'>,
  digest: Digest,
  manifest: LoadedManifest,
  verdict?: Verdict,
): Answer {
  const warning =
    verdict && warningHeader({ repository: call.route.repository, digest, verdict, decisionId: call.id });
  const headers = {
    'content-type': manifest.mediaType,
    'content-length': String(manifest.bytes.length),
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'cache-control': 'private',
    ...(warning === undefined ? {} : { warning }),
  };
  return { status: 200, headers, ...(call.method === 'HEAD' ? {} : { body: manifest.bytes }) };
}
