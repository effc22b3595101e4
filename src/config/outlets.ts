import { resolve } from 'node:path';
import { readCertificates } from './files.ts';
import type { Settings } from './schema.ts';
import type { KeyPath } from './tree.ts';

type OutletSettings = Settings['audit']['outlets'][number];

/** Where the access log is sent to. */
export type OutletConfig = { readonly name: string } & (
  | {
      readonly kind: 'syslog';
      readonly protocol: 'udp' | 'tcp' | 'tls';
      readonly host: string;
      readonly port: number;
      readonly format: OutletSettings['format'];
      readonly ca?: string;
    }
  | ({ readonly kind: 'http'; readonly format: OutletSettings['format']; readonly secret?: string } & Post)
  | ({ readonly kind: 'otlp' } & Post)
  | ({ readonly kind: 'elasticsearch'; readonly index: string } & Post)
);

interface Post {
  readonly url: string;
  readonly authorization?: string;
  readonly ca?: string;
}

/** Reads the secrets of one outlet as of any section. */
export interface OutletSecrets {
  read<Key extends string>(
    settings: { readonly [key in Key | `${Key}File`]?: string | undefined },
    path: KeyPath,
    key: Key,
  ): Promise<string | undefined>;
  where(path: KeyPath): string;
}

const SCHEMES = {
  syslog: ['udp:', 'tcp:', 'tls:'],
  http: ['http:', 'https:'],
  otlp: ['http:', 'https:'],
  elasticsearch: ['http:', 'https:'],
} as const;

/** What contradicts itself in the outlets: one sentence each, with the key that it is about. */
export function outletProblems(
  outlets: readonly OutletSettings[],
): readonly { readonly path: KeyPath; readonly message: string }[] {
  return outlets.flatMap((outlet, index) => {
    const path = ['audit', 'outlets', index];
    const problems: { path: KeyPath; message: string }[] = [];
    const url = new URL(outlet.url);
    const schemes: readonly string[] = SCHEMES[outlet.kind];
    if (!schemes.includes(url.protocol)) {
      const list = schemes.map((scheme) => `${scheme}//`).join(', ');
      problems.push({ path: [...path, 'url'], message: `of kind ${outlet.kind} begins with ${list}` });
    }
    if (outlet.kind === 'syslog' && url.port === '') {
      problems.push({ path: [...path, 'url'], message: 'must name the port, such as tls://siem.corp:6514' });
    }
    if (outlets.findIndex((other) => other.name === outlet.name) !== index) {
      problems.push({ path: [...path, 'name'], message: 'another outlet has the same name' });
    }
    for (const key of ['secret', 'authorization'] as const) {
      if (outlet[key] !== undefined && outlet[`${key}File`] !== undefined) {
        problems.push({
          path: [...path, `${key}File`],
          message: `given beside ${key}: leave one of the two away`,
        });
      }
    }
    return problems;
  });
}

export async function toOutlet(
  outlet: OutletSettings,
  index: number,
  secrets: OutletSecrets,
  directory: string,
): Promise<OutletConfig> {
  const path = ['audit', 'outlets', index];
  const { name, kind, format, caFile } = outlet;
  const ca =
    caFile === undefined
      ? {}
      : { ca: await readCertificates(resolve(directory, caFile), secrets.where([...path, 'caFile'])) };
  if (kind === 'syslog') {
    return { name, kind, format, ...readSyslogUrl(outlet.url), ...ca };
  }
  const authorization = await secrets.read(outlet, path, 'authorization');
  const post: Post = { url: outlet.url, ...(authorization === undefined ? {} : { authorization }), ...ca };
  if (kind === 'otlp') return { name, kind, ...post };
  if (kind === 'elasticsearch') return { name, kind, index: outlet.index, ...post };
  const secret = await secrets.read(outlet, path, 'secret');
  return { name, kind, format, ...post, ...(secret === undefined ? {} : { secret }) };
}

/** `tls://host:port` in its parts. */
export function readSyslogUrl(url: string): {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
} {
  const { protocol, hostname, port } = new URL(url);
  return { protocol: readProtocol(protocol), host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function readProtocol(scheme: string): 'udp' | 'tcp' | 'tls' {
  if (scheme === 'udp:') return 'udp';
  return scheme === 'tls:' ? 'tls' : 'tcp';
}
