import type { Readable } from 'node:stream';
import type { Pourable } from '../content/index.ts';
import {
  type ByteRange,
  type Digest,
  Fault,
  parseRange,
  type Refusal,
  type Repository,
  refuse,
} from '../oci/index.ts';
import type { Verdict } from '../policy/index.ts';
import { checkAccess } from './access.ts';
import type { Answer } from './answer.ts';
import { blockedRefusal, recordedVerdict, scanRunningRefusal } from './blocked.ts';
import { type CallOf, header } from './call.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, type DecisionFacts, deny, type Plan } from './plan.ts';
import { mayBeScanned, mayPush } from './pull-manifest.ts';

/**
 * GET and HEAD of a blob. It leaves only through a repository where an admitted manifest names it; a HEAD by who may
 * push there is truthful for this repository, so that the client knows what it need not upload.
 *
 * @see OCI distribution-spec 1.1, end-2; design, "No way around" and "HEAD follows the right to push".
 */
export async function planBlobPull(
  call: CallOf<'blob'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository, digest } = call.route;
  const asked: DecisionFacts = { action: 'pull', repository, reference: digest, digest };
  const isPusher = call.method === 'HEAD' && (await mayPush(call, parts, repository));
  const checked = await checkAccess(parts.directory, call, repository, [isPusher ? 'push' : 'pull'], {
    service: options.service,
    scopeActions: 'pull',
  });
  const facts: DecisionFacts = { ...asked, ...(checked.because ? { because: checked.because } : {}) };
  if (checked.refusal)
    return denyBlob(call, { ...facts, reason: checked.reason ?? 'refused' }, checked.refusal);
  return isPusher ? planPusherHead(call, parts, options, facts) : planJudgedBlob(call, parts, facts);
}

/** docker cannot read a 403 to a blob HEAD, so what is refused there is not there; a challenge stays a challenge. */
function denyBlob(call: CallOf<'blob'>, facts: DecisionFacts, refusal: Refusal): Plan {
  const isHead = call.method === 'HEAD' && refusal.status !== 401;
  return deny(facts, isHead ? blobUnknown(call.route.repository, call.route.digest) : refusal);
}

async function planPusherHead(
  call: CallOf<'blob'>,
  parts: GatewayParts,
  options: GatewayOptions,
  facts: DecisionFacts,
): Promise<Plan> {
  const { repository, digest } = call.route;
  const size = await findHere(parts, repository, digest);
  if (size === undefined) return deny({ ...facts, reason: 'blob.unknown' }, blobUnknown(repository, digest));
  return allow({ ...facts, reason: 'head.pusher' }, 200, async () => {
    // The pusher will not upload it now, so it must not be collected before the manifest that names it arrives.
    await parts.linkWrites.linkBlob({
      repository,
      digest,
      size,
      owner: 'pending',
      untilMs: parts.clock.nowMs() + options.pendingMs,
    });
    return blobHead(digest, size);
  });
}

/**
 * What its registry holds in this repository; never the store as a whole. The registry is asked, not the links: a
 * pusher who is told that a blob is here does not upload it, so its bytes must be here (threat S-18).
 */
async function findHere(
  parts: GatewayParts,
  repository: Repository,
  digest: Digest,
): Promise<number | undefined> {
  const located = parts.sources.locate(repository);
  return (await located?.source.findBlob(located.name, digest))?.size;
}

async function planJudgedBlob(
  call: CallOf<'blob'>,
  parts: GatewayParts,
  facts: DecisionFacts,
): Promise<Plan> {
  const { repository, digest } = call.route;
  const { onlyImage } = call.identity;
  if (onlyImage !== undefined) return planScannedBlob(call, parts, facts, onlyImage);
  const admission = await parts.verdicts.admitsBlob(repository, digest);
  if (!admission.isAdmitted) {
    if (admission.verdict) return denyUnadmitted(call, facts, admission.verdict);
    if (!(await isServedPending(parts, repository, digest)))
      return deny({ ...facts, reason: 'blob.unknown' }, blobUnknown(repository, digest));
    return planServedBlob(call, parts, { ...facts, reason: 'blob.pending' });
  }
  return planServedBlob(call, parts, facts);
}

/** By a scan's token: what its image names, whether the image is admitted yet or not. */
async function planScannedBlob(
  call: CallOf<'blob'>,
  parts: GatewayParts,
  facts: DecisionFacts,
  image: Digest,
): Promise<Plan> {
  const { repository, digest } = call.route;
  const naming = await parts.links.manifestsNaming(repository, digest);
  if (!naming.includes(image)) {
    return deny({ ...facts, reason: 'token.image' }, blobUnknown(repository, digest));
  }
  const verdict = await parts.verdicts.peek(repository, image);
  if (!mayBeScanned(verdict)) return denyUnadmitted(call, facts, verdict);
  return planServedBlob(call, parts, { ...facts, reason: 'scan.read' });
}

/**
 * A blob that was uploaded here and that no manifest names yet: nothing can judge it, so it is served only where
 * policy withholds nothing from who may pull (ADR 0012).
 */
export async function isServedPending(
  parts: Pick<GatewayParts, 'links' | 'verdicts'>,
  repository: Repository,
  digest: Digest,
): Promise<boolean> {
  const link = await parts.links.findBlob(repository, digest);
  return link?.owner === 'pending' && (await parts.verdicts.admitsPending(repository));
}

async function planServedBlob(
  call: CallOf<'blob'>,
  parts: GatewayParts,
  facts: DecisionFacts,
): Promise<Plan> {
  const { repository, digest } = call.route;
  // Named is not held: the content store may have it for another repository, which is nobody's business here.
  const held = await parts.links.findBlob(repository, digest);
  if (!held) return deny({ ...facts, reason: 'blob.unknown' }, blobUnknown(repository, digest));
  const size = (await parts.content.find(digest))?.size ?? held.size;
  if (call.method === 'HEAD') return allow(facts, 200, async () => blobHead(digest, size));
  const range = parseRange(header(call, 'range'), size);
  if (range === 'unsatisfiable') {
    const headers = { 'content-range': `bytes */${size}` };
    const refusal = refuse('SIZE_INVALID', 'dockgate: the range lies outside the blob', {
      status: 416,
      headers,
    });
    return deny({ ...facts, reason: 'range.invalid' }, refusal);
  }
  return allow({ ...facts, isTransfer: true }, range ? 206 : 200, () => openBlob(call, parts, size, range));
}

/** The manifest that names it is refused, or waits for its scan: then the client may come again. */
function denyUnadmitted(call: CallOf<'blob'>, facts: DecisionFacts, verdict: Verdict): Plan {
  const { repository } = call.route;
  const recorded = { ...facts, verdict: recordedVerdict(verdict) };
  if (verdict.outcome === 'unscanned') {
    return denyBlob(call, { ...recorded, reason: 'policy.unscanned' }, scanRunningRefusal(repository, 0));
  }
  const { digest } = verdict;
  const refused = { repository, digest, verdict, decisionId: call.id, userAgent: call.userAgent };
  const reason = `policy.${verdict.reasons[0]?.rule ?? 'blocked'}`;
  return denyBlob(call, { ...recorded, reason }, blockedRefusal(refused));
}

async function openBlob(
  call: CallOf<'blob'>,
  parts: GatewayParts,
  size: number,
  range: ByteRange | undefined,
): Promise<Answer | Refusal> {
  const { repository, digest } = call.route;
  const body = await openBody(call, parts, size, range);
  if (!body) return blobUnknown(repository, digest);
  const length = range ? range.last - range.first + 1 : size;
  const headers: Record<string, string> = {
    ...blobHead(digest, size).headers,
    'content-length': String(length),
  };
  if (range) headers['content-range'] = `bytes ${range.first}-${range.last}/${size}`;
  return { status: range ? 206 : 200, headers, body };
}

/** From the content store, else from the registry through one fill that every caller shares. */
async function openBody(
  call: CallOf<'blob'>,
  parts: GatewayParts,
  size: number,
  range: ByteRange | undefined,
): Promise<Pourable | Readable | undefined> {
  const { repository, digest } = call.route;
  const kept = await parts.content.openToPour(digest, range);
  if (kept) return kept;
  const located = parts.sources.locate(repository);
  if (!located || located.source.kind === 'origin') return undefined;
  const fill = await parts.content.fill(digest, size, async () => {
    const opened = await located.source.openBlob(located.name, digest);
    if (!opened) throw new BlobVanished(repository);
    return opened.stream;
  });
  return fill.stream(range);
}

/** A manifest names the blob and its registry does not have it. */
class BlobVanished extends Fault {
  constructor(repository: Repository) {
    super(
      'DG_BLOB_VANISHED',
      'BLOB_UNKNOWN',
      `dockgate: the registry behind ${repository} no longer has this blob`,
    );
  }
}

function blobHead(digest: Digest, size: number): Answer {
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
      'cache-control': 'private',
    },
  };
}

export function blobUnknown(repository: Repository, digest: Digest): Refusal {
  return refuse('BLOB_UNKNOWN', `dockgate: ${repository} has no blob ${digest}`);
}
