import type { Source } from '../content/index.ts';
import { findBlob, openBlob, removeBlob } from './blobs.ts';
import { type Client, createClient } from './client.ts';
import { UpstreamUnavailable } from './faults.ts';
import { createLists } from './lists.ts';
import { pushManifest, readManifest, removeManifest, removeTag, resolveTag } from './manifests.ts';
import { readTarget, type UpstreamOptions, type UpstreamParts } from './options.ts';
import { createUploadProxy } from './proxy.ts';
import { listReferrers } from './referrers.ts';
import { appendUpload, cancelUpload, findUpload, finishUpload, mountBlob, startUpload } from './uploads.ts';

/**
 * The registry behind us, over http or https. It speaks in our own name only: nothing a client sent but the
 * bytes of an upload ever reaches it.
 *
 * @throws {StartError} an option that cannot be meant.
 */
export function createUpstream(options: UpstreamOptions, parts: UpstreamParts): Source {
  const target = readTarget(options);
  if (target.secret && !target.isTls && !isLoopback(target.hostname)) {
    parts.logger.warn('the password for the upstream travels over plain http: use https', {
      upstream: target.url.origin,
    });
  }
  const client = createClient(target, parts);
  const proxy = createUploadProxy(target);
  const lists = createLists(client, parts.clock);
  const uploads = { client, proxy, upstream: target.url, timeouts: target.timeouts };
  return {
    kind: 'upstream',
    resolve: (repository, tag) => resolveTag(client, repository, tag),
    readManifest: (repository, digest) => readManifest(client, repository, digest),
    findBlob: (repository, digest) => findBlob(client, repository, digest),
    openBlob: (repository, digest) => openBlob(client, repository, digest),
    listTags: (repository, page) => lists.tags(repository, page),
    listRepositories: (page) => lists.repositories(page),
    listReferrers: (repository, subject) => listReferrers(client, repository, subject),
    pushManifest: (push) => pushManifest(client, push),
    removeTag: (repository, tag) => removeTag(client, repository, tag),
    removeManifest: (repository, digest) => removeManifest(client, repository, digest),
    removeBlob: (repository, digest) => removeBlob(client, repository, digest),
    startUpload: (repository, algorithm) => startUpload(uploads, repository, algorithm),
    appendUpload: (repository, state, body) => appendUpload(uploads, repository, state, body),
    finishUpload: (repository, state, digest, body) => finishUpload(uploads, repository, state, digest, body),
    findUpload: (repository, state) => findUpload(uploads, repository, state),
    cancelUpload: (repository, state) => cancelUpload(uploads, repository, state),
    mount: (repository, from, digest) => mountBlob(uploads, repository, from, digest),
    check: () => check(client),
    async close() {
      proxy.close();
      await client.close();
    },
  };
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '::1' || /^127\./.test(hostname);
}

function printLimit(client: Client): string {
  const limit = client.limit();
  return limit ? `; ${limit.remaining} of ${limit.limit} pulls are left` : '';
}

/** Asks `/v2/` and says what came of it; the note names no host, since /readyz shows it. */
async function check(client: Client): Promise<{ readonly isHealthy: boolean; readonly note: string }> {
  try {
    const answer = await client.fetch({ method: 'GET', path: '/v2/', scopes: [] });
    return answer.status === 200
      ? { isHealthy: true, note: `the registry behind this gateway answers${printLimit(client)}` }
      : { isHealthy: false, note: `the registry behind this gateway answers /v2/ with ${answer.status}` };
  } catch (error) {
    // The fault is the answer to this question.
    if (error instanceof UpstreamUnavailable) return { isHealthy: false, note: error.message };
    throw error;
  }
}
