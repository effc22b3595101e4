import type { LookupFunction } from 'node:net';
import { type Clock, HOUR_MS, type Logger, MINUTE_MS, SECOND_MS, StartError } from '../base/index.ts';
import type { CircuitOptions } from './circuit.ts';
import type { SecretOrigin } from './secret.ts';

/** All in milliseconds. */
export interface UpstreamTimeouts {
  /** From the start of a connection to its end, TLS included. */
  readonly connectMs: number;
  /** From the request to the answer's last header; for small answers to their last byte. */
  readonly answerMs: number;
  /** As `answerMs`, where the upstream may first have to move a whole blob: the end of an upload. */
  readonly commitMs: number;
  /** Longest silence in the middle of a body, in either direction. */
  readonly idleMs: number;
}

export interface UpstreamOptions {
  /** `http://host[:port]` or `https://host[:port]`: no path, query or credentials. */
  readonly url: string;
  /** PEM certificates trusted for this upstream instead of the system's. */
  readonly ca?: string;
  /** PEM certificate, with what leads to its authority, that the upstream alone is shown; with `clientKey`. */
  readonly clientCertificate?: string;
  /** PEM. */
  readonly clientKey?: string;
  readonly username?: string;
  /** At most one of these three. */
  readonly password?: string;
  /** Read again after a minute and when the upstream refuses what it held. */
  readonly passwordFile?: string;
  /** Program and arguments, run without a shell; what it prints is the password. */
  readonly passwordCommand?: readonly string[];
  /** The environment it is given, all of it. */
  readonly passwordCommandEnvironment?: Readonly<Record<string, string>>;
  /** How long such a password lives; it is fetched anew after 80 % of it. */
  readonly passwordLifetimeMs?: number;
  /**
   * What the password is: one to sign in with, a refresh token of the registry's token service, or an Entra ID access
   * token that Azure Container Registry exchanges for one. The latter two need no username.
   */
  readonly credentialKind?: CredentialKind;
  /**
   * Origins, beside the upstream's own, to which a Bearer challenge may send the password:
   * `https://auth.corp`.
   */
  readonly tokenRealms?: readonly string[];
  /** Origins to which a redirect is followed although their address is private: `http://store.corp:9000`. */
  readonly redirectOrigins?: readonly string[];
  readonly timeouts?: Partial<UpstreamTimeouts>;
  /** When an upstream that does not answer is left alone. */
  readonly circuit?: Partial<CircuitOptions>;
  /** Connections kept to the upstream, for everything but the bodies of uploads. */
  readonly connectionsMax?: number;
  /** Requests that may wait for such a connection; more are answered 503 at once. */
  readonly waitingMax?: number;
}

export type CredentialKind = 'password' | 'refresh-token' | 'entra-token';

export interface UpstreamParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves the host names of redirects; the system's resolver unless a test says otherwise. */
  readonly lookup?: LookupFunction;
}

/** The options after their check, with every default filled in. */
export interface Target {
  readonly url: URL;
  readonly isTls: boolean;
  /** As a socket wants it: an IPv6 address without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly ca: string | undefined;
  /** What the upstream alone is shown when a connection is made. */
  readonly clientTls: { readonly cert: string; readonly key: string } | undefined;
  readonly username: string | undefined;
  readonly secret: SecretOrigin | undefined;
  readonly credentialKind: CredentialKind;
  /** Where the password may go. */
  readonly realmOrigins: ReadonlySet<string>;
  /** What an operator named: reached whatever its address. All else must be outside. */
  readonly configuredOrigins: ReadonlySet<string>;
  readonly timeouts: UpstreamTimeouts;
  readonly circuit: CircuitOptions;
  readonly connectionsMax: number;
  readonly waitingMax: number;
}

const TIMEOUTS: UpstreamTimeouts = {
  connectMs: 5 * SECOND_MS,
  answerMs: 20 * SECOND_MS,
  commitMs: 5 * MINUTE_MS,
  idleMs: 30 * SECOND_MS,
};

const CIRCUIT: CircuitOptions = { failuresMax: 5, waitMs: SECOND_MS, waitMsMax: 30 * SECOND_MS };

/** What the token command of a cloud promises at most (ECR). */
const PASSWORD_LIFETIME_MS = 12 * HOUR_MS;

/**
 * Registries whose token service has another name, as their vendors document it. Unlike what an operator lists, these
 * must have a public address.
 */
const KNOWN_REALMS: ReadonlyMap<string, string> = new Map([
  ['https://registry-1.docker.io', 'https://auth.docker.io'],
  ['https://registry.gitlab.com', 'https://gitlab.com'],
]);

/** @throws {StartError} an option that cannot be meant. */
export function readTarget(options: UpstreamOptions): Target {
  const url = readOrigin(options.url, 'url of an upstream');
  const secret = readSecretOrigin(options);
  const credentialKind = options.credentialKind ?? 'password';
  if (credentialKind === 'password' && (options.username === undefined) !== (secret === undefined)) {
    throw new StartError('upstream: username and password must be given together');
  }
  if (credentialKind !== 'password' && secret === undefined) {
    throw new StartError(`upstream: a ${credentialKind} must be given as password`);
  }
  if (options.username?.includes(':')) {
    throw new StartError('upstream: username must not hold a colon (RFC 7617)');
  }
  if ((options.clientCertificate === undefined) !== (options.clientKey === undefined)) {
    throw new StartError('upstream: clientCertificate and clientKey must be given together');
  }
  const isTls = url.protocol === 'https:';
  const realms = originsOf(options.tokenRealms, 'tokenRealms of an upstream');
  const redirects = originsOf(options.redirectOrigins, 'redirectOrigins of an upstream');
  const known = KNOWN_REALMS.get(url.origin);
  return {
    url,
    isTls,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    ca: options.ca,
    clientTls:
      options.clientCertificate === undefined || options.clientKey === undefined
        ? undefined
        : { cert: options.clientCertificate, key: options.clientKey },
    username: options.username,
    secret,
    credentialKind,
    realmOrigins: new Set([url.origin, ...realms, ...(known === undefined ? [] : [known])]),
    configuredOrigins: new Set([...realms, ...redirects]),
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    circuit: { ...CIRCUIT, ...options.circuit },
    connectionsMax: options.connectionsMax ?? 64,
    waitingMax: options.waitingMax ?? 512,
  };
}

function readSecretOrigin(options: UpstreamOptions): SecretOrigin | undefined {
  const { password, passwordFile, passwordCommand, passwordLifetimeMs } = options;
  const origins: readonly (SecretOrigin | undefined)[] = [
    password === undefined ? undefined : { kind: 'text', text: password },
    passwordFile === undefined ? undefined : { kind: 'file', path: passwordFile },
    passwordCommand === undefined
      ? undefined
      : {
          kind: 'command',
          command: passwordCommand,
          environment: options.passwordCommandEnvironment ?? {},
          lifetimeMs: passwordLifetimeMs ?? PASSWORD_LIFETIME_MS,
        },
  ];
  const given = origins.filter((origin) => origin !== undefined);
  if (given.length > 1) {
    throw new StartError('upstream: give one of password, passwordFile and passwordCommand');
  }
  return given[0];
}

function originsOf(texts: readonly string[] | undefined, where: string): readonly string[] {
  return (texts ?? []).map((text) => readOrigin(text, where).origin);
}

function readOrigin(text: string, where: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new StartError(`${where}: must be http://host[:port] or https://host[:port]`);
  }
  if (
    url.username !== '' ||
    url.password !== '' ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new StartError(`${where}: must name no path, query or credentials, only http(s)://host[:port]`);
  }
  return url;
}
