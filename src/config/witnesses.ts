import { resolve } from 'node:path';
import { readCertificates } from './files.ts';
import { type OutletSecrets, readSyslogUrl } from './outlets.ts';
import type { Settings } from './schema.ts';
import { exclusive, type Problem } from './secrets.ts';

type WitnessSettings = Settings['audit']['witnesses'][number];

/** Where checkpoints of the access log are sent to. */
export type WitnessConfig = { readonly name: string; readonly everyMs: number } & (
  | { readonly kind: 'file'; readonly path: string }
  | ({ readonly kind: 'http'; readonly secret?: string } & Post)
  | ({ readonly kind: 'tlog-witness'; readonly publicKey: string } & Post)
  | {
      readonly kind: 's3';
      readonly url: string;
      readonly region: string;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly ca?: string;
    }
  | {
      readonly kind: 'syslog';
      readonly protocol: 'udp' | 'tcp' | 'tls';
      readonly host: string;
      readonly port: number;
      readonly ca?: string;
    }
);

interface Post {
  readonly url: string;
  readonly authorization?: string;
  readonly ca?: string;
}

/** What each kind cannot do without; of a secret, itself or its file. */
const NEEDS = {
  file: ['path'],
  http: ['url'],
  'tlog-witness': ['url', 'publicKey'],
  s3: ['url', 'accessKeyId', 'secretAccessKey'],
  syslog: ['url'],
} as const;

const HTTP = ['http:', 'https:'];
const SYSLOG = ['udp:', 'tcp:', 'tls:'];

/** What contradicts itself in the witnesses: one sentence each, with the key that it is about. */
export function witnessProblems(witnesses: readonly WitnessSettings[]): readonly Problem[] {
  return witnesses.flatMap((witness, index) => {
    const path = ['audit', 'witnesses', index];
    const { kind, url } = witness;
    const problems: Problem[] = [];
    for (const key of NEEDS[kind]) {
      const isThere = key === 'secretAccessKey' ? (witness[key] ?? witness[`${key}File`]) : witness[key];
      if (isThere === undefined)
        problems.push({ path: [...path, key], message: `is needed by kind ${kind}` });
    }
    const schemes = kind === 'syslog' ? SYSLOG : HTTP;
    if (url !== undefined && !schemes.includes(new URL(url).protocol)) {
      const list = schemes.map((scheme) => `${scheme}//`).join(', ');
      problems.push({ path: [...path, 'url'], message: `of kind ${kind} begins with ${list}` });
    }
    if (kind === 'syslog' && url !== undefined && new URL(url).port === '') {
      problems.push({ path: [...path, 'url'], message: 'must name the port, such as tls://siem.corp:6514' });
    }
    if (witnesses.findIndex((other) => other.name === witness.name) !== index) {
      problems.push({ path: [...path, 'name'], message: 'another witness has the same name' });
    }
    for (const key of ['secret', 'authorization', 'secretAccessKey'] as const) {
      problems.push(...exclusive(witness, path, key));
    }
    return problems;
  });
}

export async function toWitness(
  witness: WitnessSettings,
  index: number,
  secrets: OutletSecrets,
  directory: string,
): Promise<WitnessConfig> {
  const path = ['audit', 'witnesses', index];
  const { kind, name, every: everyMs, url = '', caFile, region, accessKeyId = '' } = witness;
  const common = { name, everyMs };
  const ca =
    caFile === undefined
      ? {}
      : { ca: await readCertificates(resolve(directory, caFile), secrets.where([...path, 'caFile'])) };
  if (kind === 'file') return { ...common, kind, path: resolve(directory, witness.path ?? '') };
  if (kind === 'syslog') return { ...common, kind, ...readSyslogUrl(url), ...ca };
  if (kind === 's3') {
    const secretAccessKey = (await secrets.read(witness, path, 'secretAccessKey')) ?? '';
    return { ...common, kind, url, region, accessKeyId, secretAccessKey, ...ca };
  }
  const authorization = await secrets.read(witness, path, 'authorization');
  const post: Post = { url, ...(authorization === undefined ? {} : { authorization }), ...ca };
  if (kind === 'tlog-witness') return { ...common, kind, publicKey: witness.publicKey ?? '', ...post };
  const secret = await secrets.read(witness, path, 'secret');
  return { ...common, kind, ...post, ...(secret === undefined ? {} : { secret }) };
}
