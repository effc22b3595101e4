import { resolve } from 'node:path';
import { readCertificates, readSecretFile } from './files.ts';
import { ENVIRONMENT_PREFIX, type Environment } from './layers.ts';
import type { Settings } from './schema.ts';
import { exclusive, type Problem, type Secrets } from './secrets.ts';

type Upstream = Settings['upstreams'][number];

/** A registry behind the gateway, after every check. */
export interface UpstreamConfig
  extends Pick<Upstream, 'url' | 'access' | 'staleTags' | 'mirrors' | 'tokenRealms' | 'redirectOrigins'> {
  /** Empty, or ends in `/`. */
  readonly prefix: string;
  readonly isMirrorDefault: boolean;
  readonly isExclusive: boolean;
  readonly tagFreshMs: number;
  readonly username?: string;
  readonly password?: string;
  /** Absolute; held a password when the configuration was read. */
  readonly passwordFile?: string;
  readonly passwordCommand?: readonly string[];
  /** Ours, where such programs look for their own sign-in, without the settings of dockgate itself. */
  readonly passwordCommandEnvironment?: Readonly<Record<string, string>>;
  readonly passwordLifetimeMs: number;
  readonly credentialKind: Upstream['credential'];
  /** PEM. */
  readonly ca?: string;
  /** PEM; both or neither. */
  readonly clientCertificate?: string;
  readonly clientKey?: string;
}

/** What no single key shows. */
export function upstreamProblems(settings: Settings, upstream: Upstream, index: number): readonly Problem[] {
  const path = ['upstreams', index];
  const { username, password, passwordFile, passwordCommand, credential } = upstream;
  const problems = exclusive(upstream, path, 'password');
  if (passwordCommand !== undefined && (password ?? passwordFile) !== undefined) {
    const message = 'given beside password or passwordFile: leave one of the two away';
    problems.push({ path: [...path, 'passwordCommand'], message });
  }
  const hasPassword = (password ?? passwordFile ?? passwordCommand) !== undefined;
  if (credential === 'password' && (username !== undefined) !== hasPassword) {
    problems.push({
      path,
      message: 'username and password (or passwordFile) belong together: give both or neither',
    });
  }
  if (credential !== 'password' && !hasPassword) {
    const message = `is ${credential}: give it as passwordFile, passwordCommand or password`;
    problems.push({ path: [...path, 'credential'], message });
  }
  if ((upstream.clientCertFile === undefined) !== (upstream.clientKeyFile === undefined)) {
    problems.push({
      path,
      message: 'clientCertFile and clientKeyFile belong together: give both or neither',
    });
  }
  const prefix = prefixOf(upstream);
  if (settings.upstreams.findIndex((other) => prefixOf(other) === prefix) !== index) {
    problems.push({ path: [...path, 'prefix'], message: 'another upstream has the same prefix' });
  }
  return [...problems, ...mirrorProblems(settings, upstream, index)];
}

/** Each name must have one meaning. */
function mirrorProblems(settings: Settings, upstream: Upstream, index: number): readonly Problem[] {
  const path = ['upstreams', index];
  const earlier = settings.upstreams.slice(0, index);
  const problems: Problem[] = [];
  const twice = upstream.mirrors.find((host) => earlier.some(({ mirrors }) => mirrors.includes(host)));
  if (twice !== undefined) {
    problems.push({ path: [...path, 'mirrors'], message: `another upstream mirrors ${twice} as well` });
  }
  if (!upstream.mirrorDefault) return problems;
  const at = [...path, 'mirrorDefault'];
  if (earlier.some(({ mirrorDefault }) => mirrorDefault)) {
    problems.push({ path: at, message: 'another upstream is the default already' });
  }
  if (settings.upstreams.some((other) => prefixOf(other) === '')) {
    problems.push({
      path: at,
      message: 'has no meaning beside an upstream without prefix, which takes every name',
    });
  }
  return problems;
}

function prefixOf({ prefix }: Upstream): string {
  return prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
}

/** @throws {StartError} a file that cannot be read. */
export async function toUpstream(
  upstream: Upstream,
  index: number,
  secrets: Secrets,
  { directory, environment }: { readonly directory: string; readonly environment: Environment },
): Promise<UpstreamConfig> {
  const {
    url,
    access,
    staleTags,
    mirrors,
    username,
    password,
    passwordCommand,
    tokenRealms,
    redirectOrigins,
  } = upstream;
  const path = ['upstreams', index];
  const where = (key: string) => secrets.where([...path, key]);
  const absolute = (file: string | undefined) => (file === undefined ? undefined : resolve(directory, file));
  const passwordFile = absolute(upstream.passwordFile);
  // It is read again and again later; one that is not there is a mistake that is seen now.
  if (passwordFile !== undefined) await readSecretFile(passwordFile, where('passwordFile'));
  const [caFile, certFile, keyFile] = [upstream.caFile, upstream.clientCertFile, upstream.clientKeyFile].map(
    absolute,
  );
  const ca = caFile === undefined ? undefined : await readCertificates(caFile, where('caFile'));
  const clientCertificate =
    certFile === undefined ? undefined : await readCertificates(certFile, where('clientCertFile'));
  const clientKey = keyFile === undefined ? undefined : await readSecretFile(keyFile, where('clientKeyFile'));
  return {
    ...{
      url,
      access,
      staleTags,
      mirrors,
      tokenRealms,
      redirectOrigins,
      isMirrorDefault: upstream.mirrorDefault,
      isExclusive: upstream.exclusive,
      tagFreshMs: upstream.tagFreshness,
      prefix: prefixOf(upstream),
    },
    passwordLifetimeMs: upstream.passwordLifetime,
    credentialKind: upstream.credential,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(passwordCommand === undefined
      ? {}
      : { passwordCommand, passwordCommandEnvironment: withoutOwn(environment) }),
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
  };
}

function withoutOwn(environment: Environment): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !name.startsWith(ENVIRONMENT_PREFIX)) kept[name] = value;
  }
  return kept;
}
