import { type Digest, printReference, type Reference, type Repository, refuse } from '../oci/index.ts';
import { type Verdict, warningHeader } from '../policy/index.ts';
import { checkAccess } from './access.ts';
import type { Answer } from './answer.ts';
import { blockedRefusal, recordedVerdict, scanRunningRefusal } from './blocked.ts';
import type { Call, CallOf } from './call.ts';
import { type LoadedManifest, loadManifest } from './load.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, type DecisionFacts, deny, type Plan } from './plan.ts';
import { rememberTag, resolve } from './resolve.ts';

const STALE_NOTE = 'stale tag: its registry is away';
const STALE_WARNING =
  '299 - "dockgate: the registry behind this gateway is away, the tag is what it was when it was last pulled"';

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

  const resolved = await resolve(parts, repository, reference);
  const digest = resolved?.digest;
  const loaded = digest ? await loadManifest(parts, repository, digest) : { kind: 'absent' as const };
  if (!digest || loaded.kind === 'absent') {
    return deny({ ...asked, ...because, reason: 'manifest.unknown' }, manifestUnknown(repository, reference));
  }
  if (isNotOfItsScan(call, digest)) {
    return deny({ ...asked, ...because, reason: 'token.image' }, manifestUnknown(repository, reference));
  }
  const isStale = resolved?.isStale === true;
  const facts: DecisionFacts = { ...asked, ...because, digest, ...(isStale ? { note: STALE_NOTE } : {}) };
  if (loaded.kind === 'unreadable') {
    const message = `dockgate: blocked ${repository}: ${loaded.problem}; what cannot be judged is not served`;
    return deny({ ...facts, reason: 'policy.unreadable' }, refuse('IMAGE_BLOCKED', message));
  }
  if (!isStale) await rememberTag(parts, { repository, reference, digest, manifest: loaded.manifest });
  if (isPusher) {
    return allow({ ...facts, reason: 'head.pusher' }, 200, async () =>
      manifestAnswer(call, digest, loaded.manifest, { isStale }),
    );
  }
  return judged(call, parts, options, { facts, repository, digest, manifest: loaded.manifest, isStale });
}

/** A manifest that somebody with the right to it asked for, before its verdict. */
interface Pulled {
  readonly facts: DecisionFacts;
  readonly repository: Repository;
  readonly digest: Digest;
  readonly manifest: LoadedManifest;
  readonly isStale: boolean;
}

async function judged(
  call: CallOf<'manifest'>,
  parts: GatewayParts,
  options: GatewayOptions,
  pulled: Pulled,
): Promise<Plan> {
  const { repository, digest } = pulled;
  if (call.identity.onlyImage !== undefined) return scanned(call, parts, pulled);
  const found = await parts.verdicts.verdictFor(repository, digest, {
    waitMsMax: options.holdMsMax,
    principalId: call.identity.principal.id,
    signal: call.signal,
  });
  const { verdict } = found;
  const facts = { ...pulled.facts, verdict: recordedVerdict(verdict) };
  const serve = async () => {
    // Who only looks whether it is there will not ask for its layers.
    if (call.method === 'GET' && verdict.outcome === 'allow') {
      parts.prefetch.begin(repository, digest, pulled.manifest);
    }
    return manifestAnswer(call, digest, pulled.manifest, { verdict, isStale: pulled.isStale });
  };
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

/**
 * A scanner reads what it is to judge, so nothing waits for its scan here; malware and what was denied by name stay
 * refused.
 */
async function scanned(call: CallOf<'manifest'>, parts: GatewayParts, pulled: Pulled): Promise<Plan> {
  const { repository, digest, manifest, isStale } = pulled;
  const verdict = await parts.verdicts.peek(repository, digest);
  const facts = { ...pulled.facts, verdict: recordedVerdict(verdict) };
  if (!mayBeScanned(verdict)) {
    const refused = { repository, digest, verdict, decisionId: call.id, userAgent: call.userAgent };
    return deny({ ...facts, reason: 'policy.blocked' }, blockedRefusal(refused));
  }
  return allow({ ...facts, reason: 'scan.read' }, 200, async () =>
    manifestAnswer(call, digest, manifest, { isStale }),
  );
}

export function mayBeScanned({ reasons }: Verdict): boolean {
  return !reasons.some(({ rule }) => rule === 'malware' || rule === 'denied');
}

/** A scan's token is for one image; of others it says nothing, not even that they are there. */
function isNotOfItsScan({ identity }: Call, digest: Digest): boolean {
  return identity.onlyImage !== undefined && identity.onlyImage !== digest;
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
  said: { readonly verdict?: Verdict; readonly isStale: boolean },
): Answer {
  const { repository } = call.route;
  const { verdict, isStale } = said;
  const warnings = [
    isStale ? STALE_WARNING : undefined,
    verdict && warningHeader({ repository, digest, verdict, decisionId: call.id }),
  ].filter((text) => text !== undefined);
  const headers = {
    'content-type': manifest.mediaType,
    'content-length': String(manifest.bytes.length),
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'cache-control': 'private',
    ...(warnings.length === 0 ? {} : { warning: warnings.join(', ') }),
  };
  return { status: 200, headers, ...(call.method === 'HEAD' ? {} : { body: manifest.bytes }) };
}
