import { FindingList } from '../finding-list.ts';
import { Unscannable } from '../layers/limits.ts';
import type { Bytes } from '../layers/unpack.ts';
import { inspectBlob } from './blob-inspection.ts';
import { auditConfig } from './config-audit.ts';
import { findConfigSecrets } from './config-secrets.ts';
import type { Search } from './file-search.ts';
import { createdAtMs, parseImageConfig } from './image-config.ts';
import { OWN_RULES } from './own-rules.ts';
import type { BlobJob, BlobResult } from './protocol.ts';
import { createSecretSearch } from './secret-search.ts';
import { createSecretlintRules } from './secretlint-rules.ts';

/** Every kind of secret that the inspector knows. */
function createStandardSearch(): Search {
  return createSecretSearch([...createSecretlintRules(), ...OWN_RULES]);
}

/** What one thread does with one blob. Rejects on a bug only: hostile content is `unscannable`. */
export function createJobRunner(): (job: BlobJob, chunks: Bytes) => Promise<BlobResult> {
  const search = createStandardSearch();
  return async (job, chunks) => {
    const findings = new FindingList(job.limits.findingsMax);
    try {
      const facts =
        job.role === 'config'
          ? await inspectConfig(job, chunks, search, findings)
          : await inspectBlob(chunks, { ...job, role: job.role }, search, findings);
      return { ...facts, findings: findings.toArray(), droppedCount: findings.droppedCount };
    } catch (error) {
      if (!(error instanceof Unscannable)) throw error;
      return {
        unscannable: error.message,
        findings: findings.toArray(),
        droppedCount: findings.droppedCount,
        isArchive: false,
      };
    }
  };
}

async function inspectConfig(
  job: BlobJob,
  chunks: Bytes,
  search: Search,
  findings: FindingList,
): Promise<Pick<BlobResult, 'isArchive' | 'createdAtMs' | 'baseCreatedAtMs'>> {
  const config = parseImageConfig(await readWhole(chunks, job.limits.configBytesMax));
  for (const finding of findConfigSecrets(config, search)) findings.add(finding);
  if (job.isRunnable) for (const finding of auditConfig(config, job.superusers)) findings.add(finding);
  const atMs = createdAtMs(config.created, job.nowMs);
  const baseAtMs = createdAtMs(config.baseCreated, job.nowMs);
  return {
    isArchive: false,
    ...(atMs === undefined ? {} : { createdAtMs: atMs }),
    ...(baseAtMs === undefined ? {} : { baseCreatedAtMs: baseAtMs }),
  };
}

async function readWhole(chunks: Bytes, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > bytesMax) throw new Unscannable(`its config is larger than ${bytesMax} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
