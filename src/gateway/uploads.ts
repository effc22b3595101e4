import { quotaRefusal, type UploadBody } from '../content/index.ts';
import {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  isRefusal,
  parseChunkRange,
  parseDigest,
  parseRepository,
  type Refusal,
  type Repository,
  refuse,
} from '../oci/index.ts';
import { checkAccess } from './access.ts';
import type { Answer } from './answer.ts';
import { type Call, type CallOf, header } from './call.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, type DecisionFacts, deny, type Plan } from './plan.ts';
import { isServedPending } from './pull-blob.ts';
import { noRegistry } from './push-manifest.ts';
import { queryValue } from './route.ts';
import { type Located, readOnlyRefusal } from './sources.ts';
import type { UploadSession } from './upload-session.ts';

const SESSION_LIFE_MS = 24 * 60 * 60 * 1000;

interface Upload {
  readonly repository: Repository;
  readonly located: Located;
  readonly facts: DecisionFacts;
}

/**
 * POST of an upload: begins one, mounts a blob from another repository, or takes a whole blob at once.
 *
 * @see OCI distribution-spec 1.1, end-4a, end-4b, end-11.
 */
export async function planUploadStart(
  call: CallOf<'uploads'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository, query } = call.route;
  const from = query.has('mount') ? parseRepository(queryValue(query, 'from') ?? '') : undefined;
  const begun = await beginUpload(call, parts, options, repository, from);
  if ('isAllowed' in begun) return begun;

  if (query.has('digest') && query.has('mount')) {
    const refusal = refuse('UNSUPPORTED', 'dockgate: give digest or mount, not both', { status: 400 });
    return deny({ ...begun.facts, reason: 'upload.invalid' }, refusal);
  }
  const wanted = queryValue(query, 'digest') ?? queryValue(query, 'mount');
  const digest = wanted === undefined ? undefined : parseDigest(wanted);
  if (wanted !== undefined && !digest)
    return deny({ ...begun.facts, reason: 'digest.invalid' }, malformedDigest());
  if (digest && query.has('mount')) {
    if (from && (await mayMount(call, parts, from, digest))) {
      const facts = { ...begun.facts, digest, note: `mount from ${from}` };
      return allow(facts, 201, () => mount(call, parts, options, begun, from, digest));
    }
  } else if (digest) {
    const body = readUploadBody(call);
    if (isRefusal(body)) return deny({ ...begun.facts, reason: 'upload.invalid' }, body);
    const room = await findRoom(call, parts, begun, { body });
    if ('isAllowed' in room) return room;
    return allow({ ...begun.facts, digest }, 201, () =>
      putWhole(call, parts, options, begun, digest, { ...body, ...room }),
    );
  }
  const algorithm = uploadAlgorithm(queryValue(query, 'digest-algorithm'));
  if (!algorithm) return deny({ ...begun.facts, reason: 'digest.invalid' }, malformedDigest());
  const room = await findRoom(call, parts, begun, {});
  if ('isAllowed' in room) return room;
  return allow(begun.facts, 202, () => start(call, parts, begun, algorithm));
}

async function beginUpload(
  call: Call,
  parts: GatewayParts,
  options: GatewayOptions,
  repository: Repository,
  pullsFrom?: Repository,
): Promise<Upload | Plan> {
  const asked: DecisionFacts = { action: 'push', repository, note: 'upload' };
  const checked = await checkAccess(parts.directory, call, repository, ['push'], {
    service: options.service,
    scopeActions: 'pull,push',
    pullsFrom,
  });
  const facts: DecisionFacts = { ...asked, ...(checked.because ? { because: checked.because } : {}) };
  if (checked.refusal) return deny({ ...facts, reason: checked.reason ?? 'refused' }, checked.refusal);
  const located = parts.sources.locate(repository);
  if (!located) return deny({ ...facts, reason: 'name.unknown' }, noRegistry(repository));
  if (located.isReadOnly) {
    return deny({ ...facts, reason: 'upstream.read-only' }, readOnlyRefusal(repository));
  }
  return { repository, located, facts };
}

/**
 * Only what the caller could pull there, and what is served there: a blocked layer is not to be laundered into a
 * clean repository. Every "no" looks alike: an ordinary upload begins. @see threats T-27, T-28, T-29
 */
async function mayMount(call: Call, parts: GatewayParts, from: Repository, digest: Digest): Promise<boolean> {
  const answer = await parts.directory.can(call.identity, 'pull', from);
  if (!answer.isAllowed) return false;
  const { isAdmitted } = await parts.verdicts.admitsBlob(from, digest);
  return isAdmitted || (await isServedPending(parts, from, digest));
}

async function mount(
  call: Call,
  parts: GatewayParts,
  options: GatewayOptions,
  upload: Upload,
  from: Repository,
  digest: Digest,
): Promise<Answer | Refusal> {
  const source = parts.sources.locate(from);
  const isSameRegistry = source?.source === upload.located.source;
  const mounted =
    isSameRegistry && source
      ? await source.source.mount(upload.located.name, source.name, digest)
      : undefined;
  if (!mounted) return start(call, parts, upload, algorithmOf(digest));
  await linkPending(parts, options, upload.repository, digest, mounted.size);
  return created(call, upload.repository, digest);
}

async function start(
  call: Call,
  parts: GatewayParts,
  upload: Upload,
  algorithm: DigestAlgorithm,
): Promise<Answer | Refusal> {
  const startedBy = call.identity.principal.id;
  const progress = await upload.located.source.startUpload(upload.located.name, algorithm, startedBy);
  return isRefusal(progress) ? progress : accepted(call, parts, upload.repository, progress);
}

async function putWhole(
  call: Call,
  parts: GatewayParts,
  options: GatewayOptions,
  upload: Upload,
  digest: Digest,
  body: UploadBody,
): Promise<Answer | Refusal> {
  const { source, name } = upload.located;
  const started = await source.startUpload(name, algorithmOf(digest), call.identity.principal.id);
  if (isRefusal(started)) return started;
  call.welcomeBody();
  const finished = await source.finishUpload(name, started.state, digest, body);
  if (isRefusal(finished)) return finished;
  await linkPending(parts, options, upload.repository, digest, finished.size);
  return created(call, upload.repository, digest);
}

/**
 * PATCH, PUT, GET and DELETE of an upload that was begun here, by the principal that began it.
 *
 * @see OCI distribution-spec 1.1, end-5, end-6, end-13, end-14; threats T-33, T-34.
 */
export async function planUpload(
  call: CallOf<'upload'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository } = call.route;
  const begun = await beginUpload(call, parts, options, repository);
  if ('isAllowed' in begun) return begun;
  const session = parts.sessions.open(call.route.session, parts.clock.nowMs());
  if (!session || session.repository !== repository || session.principalId !== call.identity.principal.id) {
    return deny({ ...begun.facts, reason: 'upload.unknown' }, uploadUnknown());
  }
  if (call.method === 'GET') return allow(begun.facts, 204, () => status(call, parts, begun, session));
  if (call.method === 'DELETE') return allow(begun.facts, 204, () => cancel(begun, session));
  const body = readUploadBody(call);
  if (isRefusal(body)) return deny({ ...begun.facts, reason: 'upload.invalid' }, body);
  const room = await findRoom(call, parts, begun, { body, state: session.state });
  if ('isAllowed' in room) return room;
  const fitting = { ...body, ...room };
  if (call.method === 'PATCH')
    return allow(begun.facts, 202, () => append(call, parts, begun, session, fitting));
  const digest = parseDigest(queryValue(call.route.query, 'digest') ?? '');
  if (!digest) return deny({ ...begun.facts, reason: 'digest.invalid' }, malformedDigest());
  return allow({ ...begun.facts, digest }, 201, () =>
    finish(call, parts, options, begun, session, digest, fitting),
  );
}

/**
 * What the quotas leave for an upload: refused at once where its length says that it will not fit, else told to who
 * takes the body. Others may take that room meanwhile, so the link at the end decides.
 */
async function findRoom(
  call: Call,
  parts: GatewayParts,
  { repository, located, facts }: Upload,
  growth: { readonly body?: UploadBody; readonly state?: string },
): Promise<Pick<UploadBody, 'room'> | Plan> {
  if (located.source.kind !== 'origin') return {};
  const quotas = await parts.quotas.of(repository);
  if (quotas.length === 0) return {};
  const { body, state } = growth;
  const progress = state === undefined ? undefined : await located.source.findUpload(located.name, state);
  const before = progress?.offset ?? 0;
  const left = Math.min(...quotas.map(({ bytesMax, usedBytes }) => bytesMax - usedBytes));
  // Of a body without a length nobody knows more than that it has a byte; the end of an upload may have none.
  const asked = body === undefined ? 1 : before + (body.contentLength ?? (call.method === 'PUT' ? 0 : 1));
  const refusal = quotaRefusal(quotas, asked);
  if (refusal) return deny({ ...facts, reason: 'quota.exceeded' }, refusal);
  const beyond = quotaRefusal(quotas, left + 1);
  return beyond ? { room: { bytesMax: left - before, refusal: beyond } } : {};
}

async function status(
  call: Call,
  parts: GatewayParts,
  upload: Upload,
  session: UploadSession,
): Promise<Answer | Refusal> {
  const progress = await upload.located.source.findUpload(upload.located.name, session.state);
  if (!progress) return uploadUnknown();
  const answer = accepted(call, parts, upload.repository, progress);
  return { ...answer, status: 204 };
}

async function cancel(upload: Upload, session: UploadSession): Promise<Answer | Refusal> {
  const isCancelled = await upload.located.source.cancelUpload(upload.located.name, session.state);
  return isCancelled ? { status: 204, headers: {} } : uploadUnknown();
}

async function append(
  call: Call,
  parts: GatewayParts,
  upload: Upload,
  session: UploadSession,
  body: UploadBody,
): Promise<Answer | Refusal> {
  call.welcomeBody();
  const progress = await upload.located.source.appendUpload(upload.located.name, session.state, body);
  return isRefusal(progress) ? progress : accepted(call, parts, upload.repository, progress);
}

async function finish(
  call: Call,
  parts: GatewayParts,
  options: GatewayOptions,
  upload: Upload,
  session: UploadSession,
  digest: Digest,
  body: UploadBody,
): Promise<Answer | Refusal> {
  call.welcomeBody();
  const finished = await upload.located.source.finishUpload(upload.located.name, session.state, digest, body);
  if (isRefusal(finished)) return finished;
  await linkPending(parts, options, upload.repository, digest, finished.size);
  return created(call, upload.repository, digest);
}

async function linkPending(
  parts: GatewayParts,
  options: GatewayOptions,
  repository: Repository,
  digest: Digest,
  size: number,
): Promise<void> {
  const untilMs = parts.clock.nowMs() + options.pendingMs;
  await parts.linkWrites.linkBlob({ repository, digest, size, owner: 'pending', untilMs });
}

function readUploadBody(call: Call): UploadBody | Refusal {
  const length = header(call, 'content-length');
  const rangeText = header(call, 'content-range');
  const range = rangeText === undefined ? undefined : parseChunkRange(rangeText);
  if (rangeText !== undefined && !range) {
    return refuse('BLOB_UPLOAD_INVALID', 'dockgate: malformed Content-Range: expected FIRST-LAST', {
      status: 416,
    });
  }
  if (range && length !== undefined && range.last - range.first + 1 !== Number(length)) {
    return refuse('SIZE_INVALID', 'dockgate: Content-Range and Content-Length disagree');
  }
  return {
    request: call.request,
    ...(length === undefined ? {} : { contentLength: Number(length) }),
    ...(range ? { range } : {}),
  };
}

function accepted(
  call: Call,
  parts: GatewayParts,
  repository: Repository,
  progress: { readonly state: string; readonly offset: number },
): Answer {
  const token = parts.sessions.seal({
    repository,
    principalId: call.identity.principal.id,
    state: progress.state,
    expiresAtMs: parts.clock.nowMs() + SESSION_LIFE_MS,
  });
  return {
    status: 202,
    headers: {
      location: `${call.baseUrl}/v2/${repository}/blobs/uploads/${token}`,
      // Clients read "0-0" as "nothing yet", since a range has no way to say it.
      range: `0-${Math.max(0, progress.offset - 1)}`,
      'content-length': '0',
      'docker-upload-uuid': call.id,
    },
  };
}

function created(call: Call, repository: Repository, digest: Digest): Answer {
  return {
    status: 201,
    headers: {
      location: `${call.baseUrl}/v2/${repository}/blobs/${digest}`,
      'docker-content-digest': digest,
      'content-length': '0',
    },
  };
}

function uploadAlgorithm(text: string | undefined): DigestAlgorithm | undefined {
  if (text === undefined) return 'sha256';
  return text === 'sha256' || text === 'sha512' ? text : undefined;
}

function malformedDigest(): Refusal {
  return refuse('DIGEST_INVALID', 'dockgate: malformed digest: expected sha256:<64 hex> or sha512:<128 hex>');
}

function uploadUnknown(): Refusal {
  return refuse('BLOB_UPLOAD_UNKNOWN', 'dockgate: there is no such upload: begin a new one');
}
