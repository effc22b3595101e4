import { setTimeout as passing } from 'node:timers/promises';
import type * as z from 'zod';
import { type Clock, type Logger, MiB, SECOND_MS } from '../../base/index.ts';
import { type Digest, Fault, type Repository } from '../../oci/index.ts';
import type { Finding } from '../../policy/index.ts';
import type { Scanner, ScanReport, ScanTarget } from '../../verdicts/index.ts';
import { FindingList } from '../finding-list.ts';
import {
  acceptedShape,
  findingsOf,
  metadataShape,
  reportShape,
  reportTypeFor,
  TYPES,
  versionOf,
  withoutSpaces,
} from './contract.ts';
import { type AdapterAnswer, type AdapterHttp, type AdapterOptions, createAdapterHttp } from './http.ts';

export interface HarborScannerOptions extends AdapterOptions {
  /** What policies call it. */
  readonly name: string;
  /** Where the adapter pulls: this gateway. */
  readonly registryUrl: string;
}

export interface HarborScannerParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The Authorization header by which the adapter pulls this image, and nothing else, for a while. */
  readonly authorizationFor: (repository: Repository, digest: Digest) => Promise<string>;
}

const METADATA_BYTES_MAX = MiB;
const REPORT_BYTES_MAX = 32 * MiB;
const FINDINGS_MAX = 2000;
const REFRESH_MS = 5 * SECOND_MS;
const REFRESH_MS_MAX = 30 * SECOND_MS;

/**
 * Builds a scanner that lives behind Harbor's pluggable scanner API, as Trivy's, Clair's, Anchore's and Aqua's adapters
 * offer it: it is told where the image is and pulls it through this gateway by a credential for that image alone.
 *
 * @see goharbor/pluggable-scanner-spec: API 1.1 and 1.2
 */
export function createHarborScanner(
  options: HarborScannerOptions,
  parts: HarborScannerParts,
): Scanner & { close(): Promise<void> } {
  const http = createAdapterHttp(options);
  let version = 'unknown';
  return {
    name: options.name,
    get version() {
      return version;
    },
    async currentVersion(signal) {
      return versionOf(await readMetadata(options, http, signal));
    },
    async scan(target, signal) {
      const scan = new AdapterScan(target, signal, { ...parts, options, http });
      const metadata = await readMetadata(options, http, signal);
      version = versionOf(metadata);
      const type = reportTypeFor(metadata, target.mediaType);
      if (type === undefined) return scan.report(version, [], `it takes no ${target.mediaType}`);
      return scan.report(version, await scan.run(type));
    },
    close: () => http.close(),
  };
}

interface ScanParts extends HarborScannerParts {
  readonly options: HarborScannerOptions;
  readonly http: AdapterHttp;
}

class AdapterScan {
  readonly #target: ScanTarget;
  readonly #signal: AbortSignal;
  readonly #parts: ScanParts;

  constructor(target: ScanTarget, signal: AbortSignal, parts: ScanParts) {
    this.#target = target;
    this.#signal = signal;
    this.#parts = parts;
  }

  /** @returns what was found. @throws {Error} the scanner failed at the image. @throws {Fault} it is away. */
  async run(type: string): Promise<readonly Finding[]> {
    const { id } = this.#parse(acceptedShape, await this.#ask(type));
    for (;;) {
      const answer = await this.#parts.http.call('GET', `/scan/${encodeURIComponent(id)}/report`, {
        ...{ accept: type, bytesMax: REPORT_BYTES_MAX, signal: this.#signal },
      });
      if (answer.status === 200) return this.#read(type, answer);
      if (answer.status === 500) throw new Error('the scanner says that its scan failed');
      if (answer.status !== 302)
        throw this.#fault(`answered ${answer.status} to the question for its report`);
      await passing(refreshMs(answer.refreshAfter), undefined, { signal: this.#signal });
    }
  }

  /** By the version of the request that names the report; adapters from before it know the other one. */
  async #ask(type: string): Promise<AdapterAnswer> {
    const { repository, digest, mediaType } = this.#target;
    const { options, authorizationFor, http } = this.#parts;
    const authorization = await authorizationFor(repository, digest);
    const asked = {
      registry: { url: options.registryUrl, authorization },
      artifact: { repository, digest, mime_type: mediaType },
    };
    const post = (requestType: string, body: object) =>
      http.call('POST', '/scan', {
        ...{ accept: TYPES.response, type: requestType, body: JSON.stringify(body) },
        ...{ bytesMax: METADATA_BYTES_MAX, signal: this.#signal },
      });
    const capability = { type: 'vulnerability', produces_mime_types: [type] };
    const answer = await post(TYPES.request, { ...asked, enabled_capabilities: [capability] });
    const accepted = answer.status === 415 ? await post(TYPES.requestBefore, asked) : answer;
    if (accepted.status === 202) return accepted;
    throw this.#fault(`answered ${accepted.status} to a scan`);
  }

  #read(type: string, answer: AdapterAnswer): readonly Finding[] {
    if (!withoutSpaces(answer.type).startsWith(withoutSpaces(type))) {
      throw this.#fault('answered with another report than it was asked for');
    }
    const report = this.#parse(reportShape, answer);
    const about = report.artifact?.digest;
    if (about !== undefined && about !== this.#target.digest) {
      throw this.#fault('reported on another image');
    }
    return findingsOf(report, this.#parts.options.name);
  }

  report(version: string, found: readonly Finding[], reason?: string): ScanReport {
    const { clock, logger, options } = this.#parts;
    const { digest } = this.#target;
    const findings = new FindingList(FINDINGS_MAX);
    for (const one of found) findings.add(one);
    const status = reason === undefined ? 'done' : 'unscannable';
    logger.info('a scanner behind its adapter reported', { digest, scanner: options.name, status, reason });
    return {
      digest,
      scan: {
        ...{ by: options.name, atMs: clock.nowMs(), version, status },
        ...(reason === undefined ? {} : { reason }),
      },
      findings: findings.toReport(options.name),
    };
  }

  #parse<Shape extends z.ZodType>(shape: Shape, answer: AdapterAnswer): z.output<Shape> {
    return parseAnswer(shape, answer, this.#parts.options);
  }

  #fault(problem: string): Fault {
    return faultOf(this.#parts.options, problem);
  }
}

async function readMetadata(
  options: HarborScannerOptions,
  http: AdapterHttp,
  signal: AbortSignal,
): Promise<z.output<typeof metadataShape>> {
  const asked = { accept: TYPES.metadata, bytesMax: METADATA_BYTES_MAX, signal };
  const answer = await http.call('GET', '/metadata', asked);
  if (answer.status !== 200) {
    throw faultOf(options, `answered ${answer.status} to the question what it is`);
  }
  return parseAnswer(metadataShape, answer, options);
}

function parseAnswer<Shape extends z.ZodType>(
  shape: Shape,
  { body }: AdapterAnswer,
  options: HarborScannerOptions,
): z.output<Shape> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw faultOf(options, 'answered with something that is no JSON');
  }
  const parsed = shape.safeParse(json);
  if (parsed.success) return parsed.data;
  throw faultOf(options, `answered against its contract at ${parsed.error.issues[0]?.path.join('.')}`);
}

function faultOf({ name }: HarborScannerOptions, problem: string): Fault {
  return new Fault('DG_SCANNER_FAULT', 'UNAVAILABLE', `the scanner ${name} ${problem}`);
}

/** @param text `Refresh-After`, in seconds. */
function refreshMs(text: string | undefined): number {
  const seconds = /^\d{1,6}$/.test(text ?? '') ? Number(text) : REFRESH_MS / SECOND_MS;
  return Math.min(REFRESH_MS_MAX, Math.max(SECOND_MS / 4, seconds * SECOND_MS));
}
