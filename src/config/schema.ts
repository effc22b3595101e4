import { isIP } from 'node:net';
import type * as z from 'zod';
import { DAY_MS, HOUR_MS, MINUTE_MS, parseAddressRange, SECOND_MS } from '../base/index.ts';
import { parsePattern, parseRepository } from '../oci/index.ts';
import { readHostPort } from './host-port.ts';
import { isPostgresUrl } from './postgres-url.ts';
import {
  byteCount,
  duration,
  flag,
  list,
  oneOf,
  optionalSetting,
  type RawValue,
  requiredSetting,
  section,
  setting,
  text,
  texts,
  wholeNumber,
} from './settings.ts';

const path = text('a path', (value) => value !== '' && !value.includes('\0'));
const hostName = (value: string) =>
  isIP(value) !== 0 || /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/i.test(value);
const printable = (value: string) => /^[\x21-\x7e]{1,200}$/.test(value);
const secret = {
  ...text('text (quote it if it looks like a number)', (value) => value !== ''),
  isSecret: true,
};
const nonEmpty = (value: string) => value !== '';
const isAttribute = (value: string) => /^[A-Za-z][A-Za-z0-9-]{0,63}$/.test(value);
const fileOf = (key: string) =>
  optionalSetting({ doc: `A file that holds \`${key}\`; one of the two.`, ...path });

const feedSource = text(
  'a path, or https://host[:port]/path without password',
  (value) =>
    isServerUrl(value, ['https:']) || (value !== '' && !value.includes('\0') && !/^[a-z]+:\/\//i.test(value)),
);

const trustName = {
  doc: 'What policies call it.',
  ...text('a-z 0-9 . _ -, at most 63', (value) => /^[a-z0-9][a-z0-9._-]{0,62}$/.test(value)),
};

const trustedKey = section('The public key of a signer.', {
  name: requiredSetting(trustName),
  file: requiredSetting({
    doc: 'PEM, as `cosign.pub`: ECDSA P-256, Ed25519, or RSA from 2048 bits.',
    ...path,
  }),
  revoked: setting({
    doc: 'What it signed no longer counts, whenever it was signed; the refusal says so.',
    ...flag(),
    default: false,
  }),
  until: optionalSetting({
    doc: 'From this day (UTC) on what it signed no longer counts.',
    ...text('a day such as 2027-01-31', isDay),
  }),
});

const trustedIdentity = section('Who signs by a certificate.', {
  name: requiredSetting(trustName),
  issuer: requiredSetting({
    doc: 'The OIDC issuer that the certificate names, exactly.',
    ...text('https://host[:port][/path]', isIssuer),
  }),
  subject: requiredSetting({
    doc: 'Pattern with `*` of its subject alternative name: an address, or a workflow with its branch.',
    ...text('a pattern of more than wildcards', (value) => value.length <= 512 && !/^\**$/.test(value)),
  }),
});

const trustStore = section(
  'Authorities that are trusted together: a named trust store of the Notary Project.',
  {
    name: requiredSetting({ ...trustName, doc: 'What `trustStores` call it, after its type.' }),
    type: setting({
      doc: 'A `signingAuthority` signs for others, and the time that it says is believed.',
      ...oneOf('ca', 'signingAuthority'),
      default: 'ca',
    }),
    file: requiredSetting({ doc: 'PEM: one or more root certificates.', ...path }),
    crlFile: optionalSetting({
      doc: 'PEM: revocation lists; with it every certificate below a root must be covered by one that is in date.',
      ...path,
    }),
  },
);

const notationSigner = section('Who signs with Notation (Notary Project).', {
  name: requiredSetting(trustName),
  trustStores: requiredSetting({
    doc: 'Trust stores that vouch for the certificate, such as `ca:acme`.',
    ...texts('TYPE:NAME of trust.stores, at least one', (value) =>
      /^(?:ca|signingAuthority):\S+$/.test(value),
    ),
  }),
  trustedIdentities: requiredSetting({
    doc: 'Subjects that may sign, such as `"x509.subject: C=DE, ST=BY, O=corp, CN=release"`: each attribute must be the same in the certificate. `"*"`: any.',
    ...texts('`*` or `x509.subject: …`, at least one', nonEmpty),
  }),
});

const allowance = (whose: string, defaults: { readonly requests: number; readonly streams: number }) =>
  section(whose, {
    requests: setting({
      doc: 'Requests a second, on average over 10 s.',
      ...wholeNumber(1, 1_000_000),
      default: defaults.requests,
    }),
    bytes: optionalSetting({
      doc: 'Bytes a second in both directions, on average over 10 s.',
      ...byteCount('1KiB', '1TiB'),
    }),
    streams: setting({
      doc: 'Requests under way at once.',
      ...wholeNumber(1, 1_000_000),
      default: defaults.streams,
    }),
  });

const repositoryLimits = section('What the repositories of a pattern get together.', {
  on: requiredSetting({
    doc: 'The repositories, as in a grant: `team/**,!team/free/**`.',
    ...text('a pattern such as team/**', (value) => parsePattern(value).ok),
  }),
  requests: optionalSetting({
    doc: 'Requests a second, on average over 10 s.',
    ...wholeNumber(1, 1_000_000),
  }),
  bytes: optionalSetting({
    doc: 'Bytes a second in both directions, on average over 10 s.',
    ...byteCount('1KiB', '1TiB'),
  }),
  streams: optionalSetting({ doc: 'Requests under way at once.', ...wholeNumber(1, 1_000_000) }),
  storage: optionalSetting({
    doc: 'Quota of the embedded registry: bytes that they may hold, what each repository links counted there.',
    ...byteCount('1KiB', '1024TiB'),
  }),
});

const upstream = section('A registry behind the gateway.', {
  prefix: setting({
    doc: 'Repositories whose names begin with it are here; it is taken off the name. Empty: all that no other prefix takes.',
    ...text('empty, or a path such as team or hub/library', isPrefix),
    default: '',
  }),
  url: requiredSetting({
    doc: 'Where it listens; no path.',
    ...text('http://host[:port] or https://host[:port]', (value) => isOrigin(value, ['http:', 'https:'])),
  }),
  username: optionalSetting({
    doc: 'Signs in there; every caller shares it.',
    ...text('a name without colon', isUserName),
  }),
  password: optionalSetting({ doc: 'Goes with `username`.', ...secret }),
  passwordFile: optionalSetting({
    doc: 'A file that holds `password`; read again every minute and when the upstream refuses what it held.',
    ...path,
  }),
  passwordCommand: optionalSetting({
    doc: 'A program and its arguments, run without a shell, that prints `password`, such as `[aws, ecr, get-login-password]`.',
    accepts: 'a list: a program and its arguments',
    parse: readCommand,
  }),
  passwordLifetime: setting({
    doc: 'How long a password of `passwordCommand` lives; a new one is fetched after 80 % of it.',
    ...duration(MINUTE_MS, 30 * DAY_MS),
    default: '12h',
  }),
  credential: setting({
    doc: 'What `password` is: a password; a refresh token of the registry (`username` is not needed); an Entra ID access token, which Azure exchanges for one.',
    ...oneOf('password', 'refresh-token', 'entra-token'),
    default: 'password',
  }),
  access: setting({
    doc: '`pull`: pushes and deletes are refused here, whatever a role grants.',
    ...oneOf('full', 'pull'),
    default: 'full',
  }),
  staleTags: setting({
    doc: 'While it does not answer, a tag is what it was when it was last pulled here, with a `Warning` and a note in the record; off, such a pull is 503 or 429.',
    ...flag(),
    default: false,
  }),
  exclusive: setting({
    doc: 'Only dockgate writes to it: a tag that was seen once is known here from then on, and no pull asks for it again.',
    ...flag(),
    default: false,
  }),
  tagFreshness: setting({
    doc: 'How old the answer to a tag may be before it is asked for again; 0s asks at each pull. What is pushed or deleted here counts at once.',
    ...duration(0, HOUR_MS),
    default: '2s',
  }),
  mirrors: setting({
    doc: 'Registries in whose place it answers clients that use dockgate as a mirror and name the registry (containerd): `docker.io`.',
    ...texts('hosts such as docker.io or reg.corp:5000', isHost),
    default: [],
  }),
  mirrorDefault: setting({
    doc: 'It takes the names that no prefix takes and puts its own before them: for `registry-mirrors` of docker.',
    ...flag(),
    default: false,
  }),
  caFile: optionalSetting({
    doc: "Certificates (PEM) that are trusted for this upstream in place of the system's.",
    ...path,
  }),
  clientCertFile: optionalSetting({
    doc: 'A certificate (PEM) that this upstream alone is shown.',
    ...path,
  }),
  clientKeyFile: optionalSetting({ doc: 'The key (PEM) of `clientCertFile`.', ...path }),
  tokenRealms: setting({
    doc: "Further origins to which its challenge may send the password; Docker Hub's and GitLab's own need not be named.",
    ...texts('origins such as https://auth.corp', (value) => isOrigin(value, ['http:', 'https:'])),
    default: [],
  }),
  redirectOrigins: setting({
    doc: 'Origins with a private address to which its redirects are followed.',
    ...texts('origins such as http://store.corp:9000', (value) => isOrigin(value, ['http:', 'https:'])),
    default: [],
  }),
});

const outlet = section(
  'Where the access log is sent to as it grows: all of it, in order, each record at least once.',
  {
    name: requiredSetting({
      doc: 'Names it in `dockgate status`, in metrics, and its cursor; another name begins with the first record again.',
      ...text('a-z 0-9 . _ -, at most 63', (value) => /^[a-z0-9][a-z0-9._-]{0,62}$/.test(value)),
    }),
    kind: requiredSetting({
      doc: '`syslog` is RFC 5424, `http` signed JSON, `otlp` OpenTelemetry logs, `elasticsearch` its `_bulk` (OpenSearch, too).',
      ...oneOf('syslog', 'http', 'otlp', 'elasticsearch'),
    }),
    url: requiredSetting({
      doc: 'For syslog udp://host:port, tcp://host:port or tls://host:port; else http(s)://…, of otlp with its path (/v1/logs).',
      ...text(
        'udp://, tcp:// or tls://host:port, or http(s)://host[:port][/path], without password',
        (value) => isServerUrl(value, ['udp:', 'tcp:', 'tls:', 'http:', 'https:']),
      ),
    }),
    format: setting({
      doc: 'Of syslog and http: the records as they are, or as CEF or OCSF.',
      ...oneOf('json', 'cef', 'ocsf'),
      default: 'json',
    }),
    index: setting({
      doc: 'Of elasticsearch: the index or data stream.',
      ...text('a-z 0-9 . _ -, at most 200', (value) => /^[a-z0-9][a-z0-9._-]{0,199}$/.test(value)),
      default: 'dockgate-audit',
    }),
    secret: optionalSetting({
      doc: 'Of http: signs each body with HMAC-SHA256 as Standard Webhooks does.',
      ...secret,
    }),
    secretFile: fileOf('secret'),
    authorization: optionalSetting({
      doc: 'The Authorization header, such as `Bearer …` or `ApiKey …`; not of syslog.',
      ...secret,
    }),
    authorizationFile: fileOf('authorization'),
    caFile: optionalSetting({
      doc: "Certificates (PEM) that are trusted for it in place of the system's.",
      ...path,
    }),
  },
);

const webhook = section('Who is told of what happens to images: one signed message an event.', {
  name: requiredSetting({
    doc: 'Names it in `dockgate webhook list`, and its queue: another name begins with an empty one.',
    ...text('a-z 0-9 . _ -, at most 63', (value) => /^[a-z0-9][a-z0-9._-]{0,62}$/.test(value)),
  }),
  url: requiredSetting({
    doc: 'Where messages are posted to.',
    ...text('https://host[:port][/path], without password', (value) =>
      isServerUrl(value, ['http:', 'https:']),
    ),
  }),
  secret: optionalSetting({
    doc: 'Shared with the receiver: `whsec_` and base64, or a text, of at least 24 letters; several, separated by blanks, while one takes the place of another.',
    ...secret,
  }),
  secretFile: fileOf('secret'),
  authorization: optionalSetting({ doc: 'The Authorization header, such as `Bearer …`.', ...secret }),
  authorizationFile: fileOf('authorization'),
  caFile: optionalSetting({
    doc: "Certificates (PEM) that are trusted for it in place of the system's.",
    ...path,
  }),
  privateAddresses: setting({
    doc: 'On, it may be http and have an address inside our networks.',
    ...flag(),
    default: false,
  }),
  events: setting({
    doc: 'Of these only; all unless told.',
    ...texts('image.blocked, image.scanned or vulnerability.found', (value) =>
      ['image.blocked', 'image.scanned', 'vulnerability.found'].includes(value),
    ),
    default: [],
  }),
  repositories: setting({
    doc: 'Of these repositories only, as in a grant: `team/**,!team/lab/**`.',
    ...text('a pattern such as team/**', (value) => parsePattern(value).ok),
    default: '**',
  }),
  retryFor: setting({
    doc: 'A message without answer is tried for so long, then given up; one that is refused (4xx), five times.',
    ...duration(MINUTE_MS, 30 * DAY_MS),
    default: '1d',
  }),
  sameFor: setting({
    doc: 'The same image refused to the same principal for the same reason is told of once in this time.',
    ...duration(0, 7 * DAY_MS),
    default: '15m',
  }),
});

const witness = section(
  'A place that keeps checkpoints of the access log: with them a rewritten log is found, whoever holds its key.',
  {
    name: requiredSetting({
      doc: 'Names it in `dockgate status`.',
      ...text('a-z 0-9 . _ -, at most 63', (value) => /^[a-z0-9][a-z0-9._-]{0,62}$/.test(value)),
    }),
    kind: requiredSetting({
      doc: '`file` appends to a file, `http` posts JSON, `tlog-witness` asks a C2SP witness to cosign, `s3` puts objects, `syslog` is RFC 5424.',
      ...oneOf('file', 'http', 'tlog-witness', 's3', 'syslog'),
    }),
    every: setting({
      doc: 'How often, where the log has grown.',
      ...duration(SECOND_MS, DAY_MS),
      default: '1m',
    }),
    path: optionalSetting({
      doc: 'Of file: it is only ever appended to, so it may be append-only or on another machine.',
      ...path,
    }),
    url: optionalSetting({
      doc: 'As of an outlet; of tlog-witness its submission prefix, of s3 the bucket with a prefix: https://s3.corp/bucket/prefix.',
      ...text(
        'udp://, tcp:// or tls://host:port, or http(s)://host[:port][/path], without password',
        (value) => isServerUrl(value, ['udp:', 'tcp:', 'tls:', 'http:', 'https:']),
      ),
    }),
    publicKey: optionalSetting({
      doc: "Of tlog-witness: the witness's key, `name+id+base64` with an Ed25519 cosigner key.",
      ...text('name+01234567+base64', (value) => /^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/.test(value)),
    }),
    region: setting({
      doc: 'Of s3: the region that signatures are for.',
      ...text('a-z 0-9 -', (value) => /^[a-z0-9-]{1,63}$/.test(value)),
      default: 'us-east-1',
    }),
    accessKeyId: optionalSetting({
      doc: 'Of s3: the key, which needs `s3:PutObject` and nothing else.',
      ...text('letters, digits and _', (value) => /^\w{3,128}$/.test(value)),
    }),
    secretAccessKey: optionalSetting({ doc: 'Of s3: goes with `accessKeyId`.', ...secret }),
    secretAccessKeyFile: fileOf('secretAccessKey'),
    secret: optionalSetting({
      doc: 'Of http: signs each body with HMAC-SHA256 as Standard Webhooks does.',
      ...secret,
    }),
    secretFile: fileOf('secret'),
    authorization: optionalSetting({
      doc: 'Of http and tlog-witness: the Authorization header.',
      ...secret,
    }),
    authorizationFile: fileOf('authorization'),
    caFile: optionalSetting({
      doc: "Certificates (PEM) that are trusted for it in place of the system's.",
      ...path,
    }),
  },
);
const adapter = section("A scanner behind Harbor's pluggable scanner API 1.1 or 1.2.", {
  name: requiredSetting({
    doc: 'What policies call it.',
    ...text('a-z 0-9 . _ -, at most 63, and not beginning with ci-', isScannerName),
  }),
  url: requiredSetting({
    doc: 'Up to and with its `/api/v1`.',
    ...text('http(s)://host[:port][/path], without password', (value) =>
      isServerUrl(value, ['http:', 'https:']),
    ),
  }),
  robot: requiredSetting({
    doc: 'The robot that it pulls as: it needs `pull`. Each scan gets a token for its image alone.',
    ...text('the name of a robot', nonEmpty),
  }),
  authorization: optionalSetting({ doc: 'The Authorization header for the adapter.', ...secret }),
  authorizationFile: fileOf('authorization'),
  caFile: optionalSetting({
    doc: "Certificates (PEM) that are trusted for it in place of the system's.",
    ...path,
  }),
});

/**
 * Every key of the configuration: what it means, what it accepts, its default. The reference page, the example file
 * and `config explain` are printed from here.
 */
export const schema = section('', {
  listen: optionalSetting({
    doc: 'The address that the gateway listens on; every address unless set.',
    ...text('an IP address', (value) => isIP(value) !== 0),
  }),
  port: setting({ doc: 'The TLS port; 0 takes a free one.', ...wholeNumber(0, 65_535), default: 8443 }),
  proxies: section('Load balancers and proxies between clients and the gateway.', {
    trusted: setting({
      doc: 'Their addresses: whom they name in X-Forwarded-For is the client, in limits and records. From anybody else that header means nothing.',
      ...texts('addresses and ranges such as 10.0.0.0/8', (value) => parseAddressRange(value) !== undefined),
      default: [],
    }),
    proxyProtocol: setting({
      doc: 'Their connections begin with a PROXY header (version 1 or 2), before TLS; one without it is closed.',
      ...flag(),
      default: false,
    }),
  }),
  opsListen: setting({
    doc: 'Where /metrics, /healthz and /readyz answer, in plain HTTP: keep it off public networks.',
    ...text(
      'ADDRESS:PORT, such as 127.0.0.1:9464 or [::1]:9464',
      (value) => readAddressPort(value) !== undefined,
    ),
    default: '127.0.0.1:9464',
  }),
  opsPort: optionalSetting({
    doc: 'The port of `opsListen`, where only that is to differ.',
    ...wholeNumber(0, 65_535),
  }),
  publicUrl: optionalSetting({
    doc: 'What clients call the gateway: issuer of tokens, and in what it tells clients. `https://localhost:PORT` unless set.',
    ...text('https://host[:port]', (value) => isOrigin(value, ['https:'])),
  }),
  names: setting({
    doc: 'Further names and addresses of the gateway: they go into its certificate.',
    ...texts('host names and addresses', hostName),
    default: [],
  }),
  service: setting({
    doc: 'Audience of the tokens (`service` in the challenge).',
    ...text(
      '1 to 200 printable characters without spaces or quotes',
      (value) => printable(value) && !/["\\]/.test(value),
    ),
    default: 'dockgate',
  }),
  node: setting({
    doc: 'This node in the access log. A log keeps its name: to change it, move `audit` in the data directory aside first.',
    ...text('a-z 0-9 . _ -, at most 63', (value) => /^[a-z0-9][a-z0-9._-]{0,62}$/.test(value)),
    default: 'node1',
  }),
  workers: setting({
    doc: 'Processes that serve; 0 is one a processor core.',
    ...wholeNumber(0, 256),
    default: 0,
  }),
  logLevel: setting({
    doc: 'What standard error gets: the operational log, not the access log.',
    ...oneOf('debug', 'info', 'warn', 'error'),
    default: 'info',
  }),
  dataDirectory: setting({
    doc: 'Databases, content, access log and keys (0700).',
    ...path,
    default: 'data',
  }),
  certsDirectory: setting({
    doc: 'ca.crt, ca.key, server.crt and server.key: issued at the first start unless your own are there.',
    ...path,
    default: 'certs',
  }),
  adminPassword: optionalSetting({
    doc: 'Password of the first user `admin`, at the first start only; generated unless set.',
    ...secret,
  }),
  adminPasswordFile: fileOf('adminPassword'),
  upstreams: list(
    'Registries behind the gateway; without any, the embedded registry keeps the images.',
    upstream,
  ),
  redis: section('Shared memory for verdicts; slower without, never less safe.', {
    url: optionalSetting({
      doc: 'Redis, by TLS with rediss.',
      ...text('redis://host[:port][/database] or rediss://…, without password', (value) =>
        isServerUrl(value, ['redis:', 'rediss:']),
      ),
    }),
    sentinels: setting({
      doc: 'In place of `url`: sentinels that know the master, as host:port.',
      ...texts('host:port', (value) => readHostPort(value) !== undefined),
      default: [],
    }),
    master: setting({
      doc: 'The name of the group that the sentinels watch.',
      ...text('a name', printable),
      default: 'mymaster',
    }),
    sentinelPassword: optionalSetting({ doc: 'What the sentinels themselves ask for.', ...secret }),
    sentinelPasswordFile: fileOf('sentinelPassword'),
    cluster: setting({
      doc: 'In place of `url`: some nodes of a Redis Cluster, as host:port; the others are found through them.',
      ...texts('host:port', (value) => readHostPort(value) !== undefined),
      default: [],
    }),
    tls: setting({
      doc: 'TLS to sentinels, master and nodes of a cluster; beside `url`, `rediss:` says it.',
      ...flag(),
      default: false,
    }),
    username: optionalSetting({ doc: 'ACL user.', ...text('a name', printable) }),
    password: optionalSetting({ doc: 'Its password.', ...secret }),
    passwordFile: fileOf('password'),
  }),
  database: section('Where principals, grants, policies and facts are kept.', {
    url: optionalSetting({
      doc: 'A SQLite file (`dockgate.db` in the data directory unless set), or a PostgreSQL that several replicas share.',
      ...text(
        'sqlite:PATH or postgres://user@host[:port]/database, without password',
        (value) => /^sqlite:[^\0]+$/.test(value) || isPostgresUrl(value),
      ),
    }),
    password: optionalSetting({ doc: 'Of the PostgreSQL user.', ...secret }),
    passwordFile: fileOf('password'),
    tls: setting({
      doc: 'Whether the line to PostgreSQL is encrypted and its certificate verified; off only where nobody else can reach the line.',
      ...flag(),
      default: true,
    }),
    caFile: optionalSetting({
      doc: "Authorities for PostgreSQL's certificate, PEM; the public ones unless set.",
      ...path,
    }),
    connections: setting({
      doc: 'Connections to PostgreSQL that each worker may open.',
      ...wholeNumber(1, 100),
      default: 8,
    }),
  }),
  token: section('Tokens for clients.', {
    lifetime: setting({
      doc: 'Life of an access token. Rights are looked up live, so a longer life keeps nobody in.',
      ...duration(MINUTE_MS, HOUR_MS),
      default: '5m',
    }),
    refreshUnused: setting({
      doc: 'A refresh token that was not used for so long is dead.',
      ...duration(HOUR_MS, 365 * DAY_MS),
      default: '90d',
    }),
  }),
  workloads: list(
    'Issuers of workload tokens (GitHub Actions, GitLab, Kubernetes ...), which sign in robots without a secret.',
    section('An issuer of workload tokens.', {
      issuer: requiredSetting({
        doc: 'Exactly as its tokens name it in `iss`; its discovery document lies below it.',
        ...text('https://host[:port][/path]', isIssuer),
      }),
      audiences: setting({
        doc: "One of them must be in the token's `aud`: an audience that nobody else takes.",
        ...texts('1 to 200 printable characters', printable),
        default: 'dockgate',
      }),
      tokenLifetimeMax: setting({
        doc: 'A token that was issued for longer is refused.',
        ...duration(MINUTE_MS, DAY_MS),
        default: '1h',
      }),
      caFile: optionalSetting({
        doc: "Certificates (PEM) that are trusted for it in place of the system's.",
        ...path,
      }),
      privateAddresses: setting({
        doc: 'Whether it may have a private address, such as that of a cluster.',
        ...flag(),
        default: false,
      }),
      rules: setting({
        doc: 'Which workload is which robot: `- { robot: ci, claims: { repository: team/app, ref: refs/heads/main } }`. All claims of a rule must match, as a whole; `*` is any text without / and :, `**` any text.',
        accepts: 'a list of rules with a robot and claims',
        parse: readWorkloadRules,
        default: [],
      }),
    }),
  ),
  clientCertificates: section('Certificates with which clients sign in (certs.d of docker and podman).', {
    caFile: optionalSetting({ doc: 'Who issues them (PEM). Unset, none is asked for.', ...path }),
    crlFile: optionalSetting({
      doc: 'What of them was revoked (PEM), read again when it changes. Set, a list that is out of date refuses all.',
      ...path,
    }),
    use: setting({
      doc: "`alone`: a certificate signs in by itself. `second-factor`: every password and token needs its owner's certificate beside it.",
      ...oneOf('alone', 'second-factor'),
      default: 'alone',
    }),
    rules: setting({
      doc: 'Which certificate is whose: `- { subject: "CN=ci,O=corp", robot: ci }` or `- { name: "URI:spiffe://corp/ci", user: alice }`, letter by letter.',
      accepts: 'a list of rules with a subject or a name, and a user or a robot',
      parse: readCertificateRules,
      default: [],
    }),
  }),
  signIn: section('Limits on guessing passwords.', {
    freeAttempts: setting({
      doc: 'Wrong passwords for one account from one source before delays begin; each further one doubles the delay.',
      ...wholeNumber(1, 100),
      default: 5,
    }),
    delayMax: setting({ doc: 'Longest delay.', ...duration(SECOND_MS, DAY_MS), default: '5m' }),
    breachedPasswordsFile: optionalSetting({
      doc: 'An ordered list of SHA-1 hashes of breached passwords, as Have I Been Pwned offers it: none of them can be set.',
      ...path,
    }),
  }),
  ldap: section('A directory that checks the passwords of people, by TLS always.', {
    url: optionalSetting({
      doc: 'Where it listens; with ldap://, StartTLS comes before anything else. Without it, people are local.',
      ...text('ldaps://host[:port] or ldap://host[:port]', (value) =>
        isServerUrl(value, ['ldap:', 'ldaps:']),
      ),
    }),
    caFile: optionalSetting({ doc: "Authorities (PEM) in place of the system's.", ...path }),
    bindDn: optionalSetting({ doc: 'Who searches for people and groups.', ...text('a DN', nonEmpty) }),
    bindPassword: optionalSetting({ doc: 'Its password.', ...secret }),
    bindPasswordFile: fileOf('bindPassword'),
    userBase: optionalSetting({ doc: 'Below it people are.', ...text('a DN', nonEmpty) }),
    userAttribute: setting({
      doc: 'Holds the name that is typed.',
      ...text('an attribute', isAttribute),
      default: 'uid',
    }),
    userFilter: setting({
      doc: 'Who may sign in; leave out here who is disabled.',
      ...text('an LDAP filter in parentheses', (value) => /^\(.+\)$/.test(value)),
      default: '(objectClass=person)',
    }),
    subjectAttribute: setting({
      doc: 'Names a person for ever: entryUUID, or objectGUID with Active Directory.',
      ...text('an attribute', isAttribute),
      default: 'entryUUID',
    }),
    groupBase: optionalSetting({
      doc: 'Below it groups are; members are put into groups of the same names here.',
      ...text('a DN', nonEmpty),
    }),
    groupAttribute: setting({
      doc: "Holds a group's name.",
      ...text('an attribute', isAttribute),
      default: 'cn',
    }),
    memberAttribute: setting({
      doc: "Holds the DNs of a group's members.",
      ...text('an attribute', isAttribute),
      default: 'member',
    }),
    timeout: setting({
      doc: 'Longest wait for each answer.',
      ...duration(SECOND_MS, MINUTE_MS),
      default: '5s',
    }),
    lifetime: setting({
      doc: 'So long after a sign-in the account, its sessions, tokens and groups count without another one.',
      ...duration(5 * MINUTE_MS, 30 * DAY_MS),
      default: '24h',
    }),
  }),
  providers: list(
    'OpenID providers (Keycloak, Entra ID, Okta, Google ...) on whose pages people sign in.',
    section('An OpenID provider.', {
      id: requiredSetting({
        doc: 'Names it in addresses: `PUBLIC_URL/login/oidc/ID/callback` is the redirect URI to register there.',
        ...text('a-z 0-9 -, at most 32', (value) => /^[a-z0-9][a-z0-9-]{0,31}$/.test(value)),
      }),
      label: optionalSetting({
        doc: 'On its button; `id` unless given.',
        ...text('1 to 60 characters', (value) => value !== '' && value.length <= 60),
      }),
      issuer: requiredSetting({
        doc: 'Exactly as it names itself. Accounts belong to it: another issuer has other people.',
        ...text('https://host[:port][/path]', isIssuer),
      }),
      clientId: requiredSetting({
        doc: 'Of the client that was registered there for dockgate.',
        ...text('1 to 200 printable characters', printable),
      }),
      clientSecret: optionalSetting({ doc: 'Its secret; a public client has none.', ...secret }),
      clientSecretFile: fileOf('clientSecret'),
      scopes: setting({
        doc: 'What is asked for beside `openid`; many providers need `groups` here to say them.',
        ...texts('1 to 200 printable characters', printable),
        default: ['profile', 'email'],
      }),
      nameClaim: setting({
        doc: 'Holds the name of a new account; of an address whose domain is in `emailDomains`, the part before @ is taken.',
        ...text('1 to 200 printable characters', printable),
        default: 'preferred_username',
      }),
      groupsClaim: setting({
        doc: 'Holds a list of groups; whoever signs in is put into groups of the same names here, and taken out of others it was put into so.',
        ...text('1 to 200 printable characters', printable),
        default: 'groups',
      }),
      emailDomains: setting({
        doc: 'Only people with a verified address of one of these domains may sign in. Needed where the provider lets in everybody.',
        ...texts('domains such as corp.example', (value) => hostName(value) && !value.startsWith('*')),
        default: [],
      }),
      lifetime: setting({
        doc: 'So long after a sign-in the account, its sessions, tokens and groups count without another one.',
        ...duration(5 * MINUTE_MS, 30 * DAY_MS),
        default: '24h',
      }),
      caFile: optionalSetting({
        doc: "Certificates (PEM) that are trusted for it in place of the system's.",
        ...path,
      }),
      privateAddresses: setting({
        doc: 'Whether it may have a private address.',
        ...flag(),
        default: false,
      }),
    }),
  ),
  cache: section('Content of registries behind the gateway, kept to be served again.', {
    bytesMax: setting({
      doc: 'More than this is removed every ten minutes, what was not used for the most days first; what came within the last hour stays.',
      ...byteCount('16MiB', '1024TiB'),
      default: '100GiB',
    }),
    prefetchBytes: setting({
      doc: 'Of an image whose manifest was given out, layers are fetched before they are asked for: so much at once in each worker. 0B: none.',
      ...byteCount('0B', '1TiB'),
      default: '1GiB',
    }),
  }),
  content: section('The files of the content store.', {
    scrub: setting({
      doc: 'So much is hashed again each second, on average, to find what the disk has damaged. 0B: nothing is.',
      ...byteCount('0B', '1GiB'),
      default: '4MiB',
    }),
  }),
  audit: section('The access log.', {
    durability: setting({
      doc: '`disk`: on stable storage before the answer leaves. `os`: power loss may lose the last records.',
      ...oneOf('disk', 'os'),
      default: 'disk',
    }),
    wait: setting({
      doc: 'A request whose record is not durable after so long is answered 503.',
      ...duration(SECOND_MS, MINUTE_MS),
      default: '5s',
    }),
    retention: section('When old records are removed; their hashes stay, and the log tells it.', {
      days: setting({
        doc: 'Records older than so many days go. 0: none goes for its age.',
        ...wholeNumber(0, 36_500),
        default: 0,
      }),
      bytes: optionalSetting({
        doc: 'The oldest records go while all of them take more than this.',
        ...byteCount('16MiB', '1024TiB'),
      }),
    }),
    reserve: setting({
      doc: 'Room on the disk that is kept for administrators: on a full one they alone can still sign in and free space. 0B: none.',
      ...byteCount('0B', '1GiB'),
      default: '4MiB',
    }),
    outlets: list('Where the log is sent to as it grows.', outlet),
    witnesses: list(
      'Where checkpoints of the log are sent to, out of reach of who runs the server.',
      witness,
    ),
  }),
  webhooks: list('Who is told of what happens to images.', webhook),
  scanners: section('What looks into images.', {
    inspector: section('The built-in scanner for secrets and misconfiguration.', {
      enabled: setting({
        doc: 'Off, images under a policy that needs its scan are refused.',
        ...flag(),
        default: true,
      }),
      blobBytesMax: setting({
        doc: 'A stored blob larger than this is unscannable, so refused.',
        ...byteCount('1MiB', '1TiB'),
        default: '16GiB',
      }),
      plainBytesMax: setting({
        doc: 'The same for its decompressed content.',
        ...byteCount('1MiB', '4TiB'),
        default: '64GiB',
      }),
      blobTimeMax: setting({
        doc: 'Longest time for one blob.',
        ...duration(SECOND_MS, 6 * HOUR_MS),
        default: '10m',
      }),
    }),
    clamav: section('ClamAV, which looks for malware in every file of every layer.', {
      address: optionalSetting({
        doc: 'Where clamd listens. Its clamd.conf must say `AlertExceedsMax yes`. Unset, no image is scanned by it.',
        ...text('unix:/path or tcp://host:port', (value) => readClamdAddress(value) !== undefined),
      }),
      silence: setting({
        doc: 'Longest silence of clamd, also while it looks at one file.',
        ...duration(SECOND_MS, HOUR_MS),
        default: '2m',
      }),
    }),
    grype: section('Grype, run for each image.', programKeys('grype')),
    trivy: section('Trivy, run for each image.', programKeys('trivy')),
    adapters: list("Scanners behind Harbor's pluggable scanner API.", adapter),
  }),
  feeds: section('Lists that the rules `epss`, `epssPercentile` and `exploited` look into.', {
    epss: optionalSetting({
      doc: "FIRST's EPSS scores, such as `https://epss.empiricalsecurity.com/epss_scores-current.csv.gz`. Without them, rules that ask for them refuse what has vulnerabilities.",
      ...feedSource,
    }),
    kev: optionalSetting({
      doc: "CISA's catalog, such as `https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json`; as `epss`.",
      ...feedSource,
    }),
    every: setting({
      doc: 'How often to look for a new one.',
      ...duration(MINUTE_MS, 7 * DAY_MS),
      default: '6h',
    }),
    caFile: optionalSetting({
      doc: "Certificates (PEM) that are trusted for them in place of the system's.",
      ...path,
    }),
    privateAddresses: setting({
      doc: 'They may come from addresses inside your networks.',
      ...flag(),
      default: false,
    }),
  }),
  trust: section('Whose signatures count. Policies ask for them by name.', {
    keys: list('Public keys of signers.', trustedKey),
    identities: list(
      'Signers without a key of their own, who sign by a certificate (keyless).',
      trustedIdentity,
    ),
    stores: list('Certificate authorities for `notation`.', trustStore),
    notation: list('Signers whose certificate comes from one of `stores`.', notationSigner),
    rootFile: optionalSetting({
      doc: 'Certificate authorities and transparency logs for `identities`: a `trusted_root.json`; nothing is fetched.',
      ...path,
    }),
  }),
  limits: section('How much one caller, connection or process may take.', {
    header: setting({
      doc: 'A connection whose request headers are not complete after so long is cut.',
      ...duration(SECOND_MS, 5 * MINUTE_MS),
      default: '10s',
    }),
    idle: setting({
      doc: 'Longest silence of a client, also in the middle of a body, which must bring 256 bytes a second over that time.',
      ...duration(SECOND_MS, HOUR_MS),
      default: '60s',
    }),
    headerBytes: setting({
      doc: 'Size of all request headers.',
      ...byteCount('4KiB', '64KiB'),
      default: '16KiB',
    }),
    connectionsPerAddress: setting({
      doc: 'Connections that one worker takes from one address (IPv6: one /64) at once; more are closed and recorded. Behind a load balancer set `proxies`, else it is one address.',
      ...wholeNumber(1, 1_000_000),
      default: 2000,
    }),
    address: allowance('What one client address may take of a node (IPv6: one /64).', {
      requests: 10_000,
      streams: 2000,
    }),
    principal: allowance('What one user or robot may take of a node.', { requests: 10_000, streams: 2000 }),
    repositories: list(
      'Limits and quotas by repositories; each that matches holds. Requests count once they are allowed.',
      repositoryLimits,
    ),
    uploadSessions: setting({
      doc: 'Uploads that one principal may have open at once.',
      ...wholeNumber(1, 100_000),
      default: 200,
    }),
    uploadBytes: setting({
      doc: 'Bytes that one principal may have in uploads of the embedded registry that are not finished.',
      ...byteCount('1MiB', '1024TiB'),
      default: '500GiB',
    }),
    upload: setting({
      doc: 'An upload, or an uploaded blob that no manifest names, is forgotten after so long.',
      ...duration(10 * MINUTE_MS, 30 * DAY_MS),
      default: '24h',
    }),
    heldRequests: setting({
      doc: 'Pulls of one worker that wait for a scan at once; more are told to come back.',
      ...wholeNumber(1, 100_000),
      default: 200,
    }),
    heldPerPrincipal: setting({ doc: 'The same for one principal.', ...wholeNumber(1, 10_000), default: 10 }),
    hold: setting({
      doc: 'Longest wait of a pull for a scan, whatever a policy says.',
      ...duration(0, 2 * MINUTE_MS),
      default: '120s',
    }),
    drain: setting({
      doc: 'When the server stops, running transfers get so long to end.',
      ...duration(0, 10 * MINUTE_MS),
      default: '30s',
    }),
  }),
  unmatched: setting({
    doc: 'What happens to an image in a repository that no policy matches.',
    ...oneOf('block'),
    default: 'block',
  }),
  policies: setting({
    doc: 'As in a policy file. Policies given here are owned by this file: the API cannot change them.',
    accepts: 'a list of policies, in the configuration file',
    parse: (value: RawValue) => (Array.isArray(value) ? value : undefined),
    default: [],
  }),
});

export type Settings = z.output<typeof schema>;

/** `127.0.0.1:9464`, `[::1]:9464`. */
export function readAddressPort(
  value: string,
): { readonly address: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(value);
  const address = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  return isIP(address) !== 0 && port <= 65_535 ? { address, port } : undefined;
}

function programKeys(name: string) {
  return {
    program: optionalSetting({
      doc: `Its path, or \`${name}\` where it is in the usual folders. Unset, it is not used.`,
      ...path,
    }),
    database: setting({
      doc: 'The folder with its vulnerability database, which you keep up to date: dockgate gives it no network.',
      ...path,
      default: `${name}-db`,
    }),
    timeMax: setting({
      doc: 'Longest time for one image.',
      ...duration(SECOND_MS, 6 * HOUR_MS),
      default: '9m',
    }),
    memoryMax: setting({
      doc: 'Most memory for its data.',
      ...byteCount('128MiB', '64GiB'),
      default: '2GiB',
    }),
    imageBytesMax: setting({
      doc: 'An image whose stored blobs are larger is unscannable by it.',
      ...byteCount('1MiB', '1TiB'),
      default: '16GiB',
    }),
  };
}

/** Those that run here have their names, and results that are pushed begin with ci-. */
function isScannerName(value: string): boolean {
  return (
    /^[a-z0-9][a-z0-9._-]{0,62}$/.test(value) &&
    !value.startsWith('ci-') &&
    !['inspector', 'clamav', 'grype', 'trivy'].includes(value)
  );
}

/** `unix:/run/clamav/clamd.ctl`, `tcp://127.0.0.1:3310`. */
export function readClamdAddress(
  value: string,
): { readonly path: string } | { readonly host: string; readonly port: number } | undefined {
  if (/^unix:\/[^\0]{1,102}$/.test(value)) return { path: value.slice('unix:'.length) };
  const match = /^tcp:\/\/(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9._-]+)):(\d{1,5})$/.exec(value);
  const [host, port] = [match?.[1] ?? match?.[2] ?? '', Number(match?.[3])];
  return host !== '' && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

function isDay(value: string): boolean {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(value) ? new Date(value) : undefined;
  return day !== undefined && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value);
}

function isIssuer(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url?.protocol === 'https:' && url.username === '' && url.search === '' && url.hash === '';
}

interface CertificateRuleSetting {
  readonly subject?: string;
  readonly name?: string;
  readonly account: { readonly kind: 'user' | 'robot'; readonly name: string };
}

function readCertificateRules(value: RawValue): readonly CertificateRuleSetting[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const rules = value.flatMap((item): CertificateRuleSetting[] => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return [];
    const { subject, name, user, robot, ...others } = Object.fromEntries(Object.entries(item));
    const account = user ?? robot;
    const isText = (text: unknown): text is string | undefined =>
      text === undefined || (typeof text === 'string' && text !== '');
    if (typeof account !== 'string' || (user !== undefined && robot !== undefined)) return [];
    if (!isText(subject) || !isText(name) || (subject ?? name) === undefined) return [];
    if (Object.keys(others).length > 0) return [];
    return [
      {
        ...(subject === undefined ? {} : { subject }),
        ...(name === undefined ? {} : { name }),
        account: { kind: user === undefined ? 'robot' : 'user', name: account },
      },
    ];
  });
  return rules.length === value.length ? rules : undefined;
}

interface WorkloadRuleSetting {
  readonly robot: string;
  readonly claims: Readonly<Record<string, string>>;
}

function readWorkloadRules(value: RawValue): readonly WorkloadRuleSetting[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const isMap = (item: unknown): item is object =>
    typeof item === 'object' && item !== null && !Array.isArray(item);
  const rules = value.flatMap((item): WorkloadRuleSetting[] => {
    if (!isMap(item)) return [];
    const { robot, claims, ...others } = Object.fromEntries(Object.entries(item));
    if (typeof robot !== 'string' || !isMap(claims) || Object.keys(others).length > 0) return [];
    const entries = Object.entries(claims).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string' && isClaimPattern(entry[1]),
    );
    const isWhole = entries.length === Object.keys(claims).length;
    // A rule of wildcards alone would sign in every workload of the issuer, also of other people.
    const saysSomething = entries.some(([, pattern]) => !/^\**$/.test(pattern));
    return isWhole && saysSomething ? [{ robot, claims: Object.fromEntries(entries) }] : [];
  });
  return rules.length === value.length ? rules : undefined;
}

/** More wildcards could take long to match. */
function isClaimPattern(text: string): boolean {
  return text !== '' && text.length <= 512 && (text.match(/\*+/g) ?? []).length <= 4;
}

function readCommand(value: RawValue): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const isText = (item: unknown): item is string =>
    typeof item === 'string' && item !== '' && !item.includes('\0');
  return value.every(isText) ? value : undefined;
}

function isHost(value: string): boolean {
  return /^[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d{1,5})?$/.test(value);
}

function isPrefix(value: string): boolean {
  return value === '' || parseRepository(value.replace(/\/$/, '')) !== undefined;
}

function isUserName(value: string): boolean {
  return printable(value) && !value.includes(':');
}

function isOrigin(value: string, protocols: readonly string[]): boolean {
  return isServerUrl(value, protocols) && new URL(value).pathname === '/' && new URL(value).search === '';
}

/** A URL with a host and without credentials: those have keys of their own, so that no log prints them. */
function isServerUrl(value: string, protocols: readonly string[]): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return (
    url !== undefined &&
    protocols.includes(url.protocol) &&
    url.hostname !== '' &&
    url.username === '' &&
    url.password === '' &&
    url.hash === ''
  );
}
