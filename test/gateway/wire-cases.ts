/** What is sent on one connection, byte for byte, and what must come of it. */
export interface WireCase {
  /** Of the threat. */
  readonly id: string;
  readonly title: string;
  /** `{token}`: may do all on `pub/app`; `{pull}`: only pull there. */
  readonly bytes: string;
  /** Status and code of each answer, in order. */
  readonly answers: readonly string[];
  /** The server ends the connection by itself; false: it stays usable. Absent: either. */
  readonly ends?: boolean;
  /** Decisions in the access log; one for each answer unless said otherwise. */
  readonly records?: number;
  /** Heads that the registry behind the gateway may see; none unless said otherwise. */
  readonly upstream?: readonly string[];
  readonly isHead?: boolean;
}

const HEX = 'a'.repeat(64);
const HOST = 'Host: localhost';
const MANIFEST = '/v2/pub/app/manifests/latest';
const AUTHORIZED = 'Authorization: Bearer {token}';
const SMUGGLED = `GET /v2/secret/app/manifests/latest HTTP/1.1\r\n${HOST}\r\n\r\n`;

function request(method: string, target: string, headers: readonly string[] = [], body = ''): string {
  return [`${method} ${target} HTTP/1.1`, HOST, ...headers, '', body].join('\r\n');
}

const get = (target: string, ...headers: readonly string[]) => request('GET', target, headers);
const chunked = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** Refused by its target, signed in or not. */
const TARGETS: readonly (readonly [id: string, target: string, answer: string])[] = [
  ['H-01', '/v2/pub/../secret/app/manifests/latest', '400 NAME_INVALID'],
  ['H-01', '/v2/pub/app/../../secret/app/manifests/latest', '400 NAME_INVALID'],
  ['H-01', '/v2/./pub/app/manifests/latest', '400 NAME_INVALID'],
  ['H-02', '/v2/pub/%2e%2e/secret/app/manifests/latest', '400 NAME_INVALID'],
  ['H-02', '/v2/pub/%2E./secret/app/manifests/latest', '400 NAME_INVALID'],
  ['H-02', '/v2/pub/.%2e/secret/app/manifests/latest', '400 NAME_INVALID'],
  ['H-02', '/v2/secret%2fapp/manifests/latest', '400 NAME_INVALID'],
  ['H-02', '/v2/pub%5capp/manifests/latest', '400 NAME_INVALID'],
  ['H-05', `/v2/pub/app/manifests/%2573ha256:${HEX}`, '400 NAME_INVALID'],
  ['H-05', '/v2/pub/%252e%252e/secret/app/manifests/latest', '400 NAME_INVALID'],
  ['H-06', '/v2//pub/app/manifests/latest', '400 NAME_INVALID'],
  ['H-06', '/v2/pub//app/manifests/latest', '400 NAME_INVALID'],
  ['H-07', '/v2/pub/app/manifests/latest%00.json', '400 NAME_INVALID'],
  ['H-07', '/v2/pub/app/manifests/latest%0a', '400 NAME_INVALID'],
  ['H-07', '/v2/pub/app/manifests/latest%7f', '400 NAME_INVALID'],
  ['H-09', '/v2/pub/app/manifests/latest;x=1', '400 NAME_INVALID'],
  ['H-09', '/v2/pub/app/manifests/latest?x=1#', '400 UNSUPPORTED'],
  ['H-09', '/v2/pub/app/manifests/latest#/../x', '400 NAME_INVALID'],
  ['H-10', '/v2/pub/%c0%ae%c0%ae/secret/app/manifests/latest', '400 NAME_INVALID'],
  ['H-10', '/v2/pub/app/manifests/%ff', '400 NAME_INVALID'],
  ['H-10', '/v2/pub/app/manifests/%e2%80%ae', '400 NAME_INVALID'],
  ['H-10', '/v2/pub/app/manifests/%', '400 NAME_INVALID'],
  ['H-11', 'http://evil.example/v2/pub/app/manifests/latest', '400 NAME_INVALID'],
  ['H-11', 'https://localhost/v2/', '400 NAME_INVALID'],
  ['H-34', '/v2/pub/app/tags/list?n=1&n=2', '400 UNSUPPORTED'],
  ['H-34', `/v2/pub/app/tags/list?${'a&'.repeat(40)}b`, '400 UNSUPPORTED'],
  [
    'H-34',
    `/v2/pub/app/tags/list?${Array.from({ length: 60 }, (_, key) => `k${key}=1`).join('&')}`,
    '400 UNSUPPORTED',
  ],
  ['H-34', `/v2/${'a/'.repeat(2500)}manifests/latest`, '400 NAME_INVALID'],
  ['H-34', `/v2/pub/app/tags/list?last=${'a'.repeat(13_000)}`, '414 NAME_INVALID'],
  ['N-01', '/v2/Pub/App/manifests/latest', '400 NAME_INVALID'],
  ['N-02', '/v2/-a/manifests/latest', '400 NAME_INVALID'],
  ['N-02', '/v2/a___b/manifests/latest', '400 NAME_INVALID'],
  ['N-02', `/v2/${'a'.repeat(256)}/manifests/latest`, '400 NAME_INVALID'],
  ['N-04', '/v2/_catalog/manifests/x', '400 NAME_INVALID'],
  ['N-06', `/v2/pub/app/manifests/${'t'.repeat(129)}`, '404 MANIFEST_UNKNOWN'],
  ['N-06', '/v2/pub/app/manifests/.x', '404 MANIFEST_UNKNOWN'],
  ['N-06', '/v2/pub/app/manifests/sha256:zz', '400 DIGEST_INVALID'],
  ['N-08', `/v2/pub/app/blobs/sha256:${HEX.slice(1)}`, '400 DIGEST_INVALID'],
  ['N-08', `/v2/pub/app/blobs/sha256:${HEX}a`, '400 DIGEST_INVALID'],
  ['N-08', `/v2/pub/app/blobs/sha256:${HEX.toUpperCase()}`, '400 DIGEST_INVALID'],
  ['N-08', `/v2/pub/app/blobs/sha256:${HEX}%0a`, '400 NAME_INVALID'],
  ['N-09', '/v2/pub/app/blobs/sha256:../../../etc/passwd', '400 NAME_INVALID'],
  ['N-09', '/v2/pub/app/blobs/sha256:..%2f..%2f', '400 NAME_INVALID'],
  ['N-19', '/v2/pub/app/tags/list?last=%00', '400 UNSUPPORTED'],
  ['N-24', `/v2/pub/app/referrers/sha256:${HEX}?artifactType=%0d%0aX:y`, '400 UNSUPPORTED'],
  ['V-32', '/v2/pub/app/referrers/sha256:zz', '400 DIGEST_INVALID'],
];

const targetCases: readonly WireCase[] = TARGETS.flatMap(([id, target, answer]) => {
  const shown = target.length > 90 ? `${target.slice(0, 80)}... of ${target.length}` : target;
  return [
    { id, title: `GET ${shown}`, bytes: get(target), answers: [answer] },
    { id, title: `GET ${shown}, signed in`, bytes: get(target, AUTHORIZED), answers: [answer] },
  ];
});

/** What is no request: the parser refuses it, and it is recorded. */
const noRequest = (id: string, title: string, bytes: string, status = 400): WireCase => ({
  id,
  title,
  bytes,
  answers: [String(status)],
  ends: true,
});

const put = (headers: readonly string[], body = '') =>
  request('PUT', MANIFEST, [AUTHORIZED, ...headers], body) + SMUGGLED;

const framing: readonly WireCase[] = [
  noRequest(
    'H-14',
    'Content-Length beside Transfer-Encoding',
    put(['Content-Length: 3', 'Transfer-Encoding: chunked'], chunked('{}')),
  ),
  noRequest('H-15', 'Transfer-Encoding: xchunked', put(['Transfer-Encoding: xchunked'], chunked('{}'))),
  noRequest(
    'H-15',
    'Transfer-Encoding: chunked, identity',
    put(['Transfer-Encoding: chunked, identity'], chunked('{}')),
  ),
  noRequest('H-15', 'a vertical tab before chunked', put(['Transfer-Encoding:\x0bchunked'], chunked('{}'))),
  noRequest(
    'H-15',
    'Transfer-Encoding over two lines',
    put(['Transfer-Encoding:\r\n chunked'], chunked('{}')),
  ),
  noRequest('H-16', 'a header ended by a bare LF', put(['X-A: 1\nContent-Length: 0'])),
  noRequest('H-16', 'a header ended by a bare CR', put(['X-A: 1\rContent-Length: 0'])),
  noRequest('H-17', 'a space before Content-Length', put([' Content-Length: 2'], '{}')),
  noRequest('H-17', 'a space after Content-Length', put(['Content-Length : 2'], '{}')),
  noRequest('H-17', 'Content-Length: +2', put(['Content-Length: +2'], '{}')),
  noRequest('H-17', 'Content-Length: 2, 2', put(['Content-Length: 2, 2'], '{}')),
  noRequest('H-17', 'two Content-Lengths', put(['Content-Length: 2', 'Content-Length: 60'], '{}')),
  noRequest('H-17', 'a negative Content-Length', put(['Content-Length: -2'], '{}')),
  noRequest('H-14', 'a chunk with a size that is none', put(['Transfer-Encoding: chunked'], 'zz\r\n{}\r\n')),
  noRequest('H-07', 'a raw control character in the target', get('/v2/pub/\x01app/manifests/latest')),
  noRequest('H-07', 'a raw NUL in the target', get('/v2/pub/\0app/manifests/latest')),
  noRequest('H-12', 'a method that is none', request('SMUGGLE', '/v2/')),
  noRequest('H-12', 'another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  noRequest('H-13', 'no Host', `GET ${MANIFEST} HTTP/1.1\r\n\r\n`),
  noRequest('H-34', 'a URL of 64 KiB', get(`/v2/${'a'.repeat(65_536)}`), 431),
  noRequest('H-34', 'a query of 100,000 keys', get(`/v2/?${'a=1&'.repeat(100_000)}`), 431),
  noRequest('H-34', 'headers of 64 KiB', get('/v2/', `X-A: ${'a'.repeat(65_536)}`), 431),
  {
    id: 'H-13',
    title: 'two Hosts',
    bytes: get(MANIFEST, 'Host: evil.example', AUTHORIZED),
    answers: ['400 UNSUPPORTED'],
    ends: true,
  },
  {
    id: 'H-12',
    title: 'CONNECT',
    bytes: `CONNECT internal:5432 HTTP/1.1\r\n${HOST}\r\n${AUTHORIZED}\r\n\r\n`,
    answers: ['405'],
    ends: true,
  },
  {
    id: 'H-12',
    title: 'OPTIONS *',
    bytes: request('OPTIONS', '*', [AUTHORIZED]),
    answers: ['400 NAME_INVALID'],
  },
  { id: 'H-12', title: 'TRACE', bytes: request('TRACE', '/v2/', [AUTHORIZED]), answers: ['405 UNSUPPORTED'] },
];

const FORBIDDEN_BODY = { answers: ['400 UNSUPPORTED'], ends: true } as const;

const bodies: readonly WireCase[] = [
  ...['DELETE', 'OPTIONS', 'GET', 'TRACE'].map(
    (method): WireCase => ({
      id: method === 'DELETE' ? 'H-19' : 'H-20',
      title: `${method} with a chunk that holds a second request`,
      bytes: request(method, MANIFEST, [AUTHORIZED, 'Transfer-Encoding: chunked'], chunked(SMUGGLED)),
      ...FORBIDDEN_BODY,
    }),
  ),
  {
    id: 'H-20',
    title: 'HEAD with a body',
    bytes: request('HEAD', MANIFEST, [AUTHORIZED, `Content-Length: ${SMUGGLED.length}`], SMUGGLED),
    answers: ['400'],
    ends: true,
    isHead: true,
  },
  {
    id: 'H-20',
    title: 'GET whose length announces a body that is a second request',
    bytes: request('GET', MANIFEST, [AUTHORIZED, `Content-Length: ${SMUGGLED.length}`], SMUGGLED),
    ...FORBIDDEN_BODY,
  },
  {
    id: 'H-21',
    title: 'two requests in one packet, signed in for the first only',
    bytes: get(MANIFEST, AUTHORIZED) + SMUGGLED,
    answers: ['404 MANIFEST_UNKNOWN', '401 UNAUTHORIZED'],
    ends: false,
    upstream: ['HEAD /v2/pub/app/manifests/latest HTTP/1.1'],
  },
  {
    id: 'H-22',
    title: 'Expect: 100-continue with a token that is none',
    bytes: request('PUT', MANIFEST, [
      'Authorization: Bearer a.b.c',
      'Expect: 100-continue',
      'Content-Length: 10',
    ]),
    answers: ['401 UNAUTHORIZED'],
    ends: true,
  },
  {
    id: 'H-22',
    title: 'Expect: 100-continue without a right',
    bytes: request('PUT', MANIFEST, [
      'Authorization: Bearer {pull}',
      'Expect: 100-continue',
      'Content-Length: 10',
    ]),
    answers: ['401 UNAUTHORIZED'],
    ends: true,
  },
  {
    id: 'H-22',
    title: 'Expect: 100-continue with the right',
    bytes: request('PUT', MANIFEST, [AUTHORIZED, 'Expect: 100-continue', 'Content-Length: 2'], '{}'),
    answers: ['100', '400 MANIFEST_INVALID'],
    records: 1,
  },
  {
    id: 'H-22',
    title: 'Expect: 100-continue on GET',
    bytes: get(MANIFEST, 'Expect: 100-continue'),
    answers: ['401 UNAUTHORIZED'],
  },
  {
    id: 'H-22',
    title: 'Expect: nonsense',
    bytes: get(MANIFEST, AUTHORIZED, 'Expect: nonsense'),
    answers: ['417'],
    ends: true,
  },
];

const UPSTREAM = ['HEAD /v2/pub/app/manifests/latest HTTP/1.1'] as const;
const passed = (id: string, title: string, ...headers: readonly string[]): WireCase => ({
  id,
  title,
  bytes: get(MANIFEST, AUTHORIZED, ...headers),
  answers: ['404 MANIFEST_UNKNOWN'],
  ends: false,
  upstream: UPSTREAM,
});

const headers: readonly WireCase[] = [
  passed(
    'H-23',
    'a header nominated by Connection',
    'Connection: keep-alive, x-dockgate-user',
    'X-Dockgate-User: admin',
  ),
  passed(
    'H-24',
    'an upgrade to h2c',
    'Connection: keep-alive, Upgrade',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABk',
  ),
  passed('H-25', 'Authorization nominated by Connection', 'Connection: keep-alive, authorization'),
  passed(
    'H-26',
    'forged forwarding headers',
    'X-Forwarded-For: 10.1.2.3',
    'Forwarded: for=10.1.2.3',
    'X-Real-IP: 10.1.2.3',
    'X-Forwarded-Host: evil.example',
    'X-Original-URL: /v2/secret/app/manifests/latest',
    'X-Rewrite-URL: /v2/secret/app/manifests/latest',
    'X-HTTP-Method-Override: DELETE',
  ),
  passed('H-27', 'headers named as members of every object', '__proto__: x', 'constructor: y', 'toString: z'),
  passed('H-37', 'Accept-Encoding: gzip', 'Accept-Encoding: gzip, br'),
  passed('V-08', 'a thousand media types', `Accept: ${'text/html,'.repeat(1000)}*/*`),
  {
    id: 'H-04',
    title: 'a digest with %3a for its colon is that digest',
    bytes: get(`/v2/pub/app/manifests/sha256%3a${HEX}`, AUTHORIZED),
    answers: ['404 MANIFEST_UNKNOWN'],
    upstream: [`GET /v2/pub/app/manifests/sha256:${HEX} HTTP/1.1`],
  },
  {
    id: 'H-09',
    title: 'a query on a manifest is read by nobody',
    bytes: get(`${MANIFEST}?x=1`, AUTHORIZED),
    answers: ['404 MANIFEST_UNKNOWN'],
    upstream: UPSTREAM,
  },
  {
    id: 'H-06',
    title: '//v2/... is another address',
    bytes: get(`/${MANIFEST}`, AUTHORIZED),
    answers: ['404'],
  },
  {
    id: 'H-02',
    title: '/api/../v2/... is another address',
    bytes: get(`/api/..${MANIFEST}`, AUTHORIZED),
    answers: ['404'],
  },
  {
    id: 'H-02',
    title: '/%76%32/... is another address',
    bytes: get('/%76%32/pub/app/manifests/latest', AUTHORIZED),
    answers: ['404'],
  },
];

const uploads = '/v2/pub/app/blobs/uploads/';
const pulling = 'Authorization: Bearer {pull}';
const insufficient = (id: string, title: string, bytes: string): WireCase => ({
  id,
  title,
  bytes,
  answers: ['401 UNAUTHORIZED'],
});

const tokens: readonly WireCase[] = [
  insufficient(
    'T-15',
    'a token to pull, used to push a manifest',
    request('PUT', MANIFEST, [pulling, 'Content-Length: 2'], '{}'),
  ),
  insufficient(
    'T-15',
    'a token to pull, used to begin an upload',
    request('POST', uploads, [pulling, 'Content-Length: 0']),
  ),
  insufficient('T-15', 'a token to pull, used to delete', request('DELETE', MANIFEST, [pulling])),
  insufficient('T-15', 'a token used on another repository', get('/v2/pub/other/tags/list', pulling)),
  insufficient('T-15', 'a token used on a longer name', get('/v2/pub/app/x/tags/list', pulling)),
  insufficient('T-15', 'a token used for the catalog', get('/v2/_catalog', pulling)),
  {
    id: 'T-37',
    title: 'two Authorization headers',
    bytes: get(MANIFEST, AUTHORIZED, 'Authorization: Basic YTpi'),
    answers: ['400 UNSUPPORTED'],
    ends: true,
  },
  insufficient('T-37', 'two tokens in one header', get(MANIFEST, `${AUTHORIZED}, Bearer {token}`)),
  insufficient('T-37', 'a scheme that is none', get(MANIFEST, 'Authorization: Negotiate {token}')),
  insufficient('T-37', 'an empty Authorization header', get(MANIFEST, 'Authorization: ')),
  {
    id: 'T-37',
    title: 'bearer in lower case is Bearer',
    bytes: get(MANIFEST, 'Authorization: bearer {token}'),
    answers: ['404 MANIFEST_UNKNOWN'],
    upstream: UPSTREAM,
  },
  insufficient(
    'T-38',
    'a token in the query',
    get(`${MANIFEST}?access_token={token}&token={token}`.slice(0, 60)),
  ),
  insufficient('T-38', 'a token in a cookie', get(MANIFEST, 'Cookie: token={token}; access_token={token}')),
  insufficient(
    'T-38',
    'a token in X-headers',
    get(MANIFEST, 'X-Authorization: Bearer {token}', 'Proxy-Authorization: Bearer {token}'),
  ),
];

const counts: readonly WireCase[] = ['-1', '0x10', 'NaN', '', '1e9', '9'.repeat(16)].map((n) => ({
  id: 'N-17',
  title: `a list with n=${n}`,
  bytes: get(`/v2/pub/app/tags/list?n=${n}`, AUTHORIZED),
  answers: ['400 UNSUPPORTED'],
}));

const blobHeads: readonly WireCase[] = [
  {
    id: 'N-24',
    title: 'a mount whose digest is a path',
    bytes: request('POST', `${uploads}?mount=sha256:../../x&from=secret/app`, [
      AUTHORIZED,
      'Content-Length: 0',
    ]),
    answers: ['400 DIGEST_INVALID'],
  },
  {
    id: 'N-24',
    title: 'a mount beside a digest',
    bytes: request('POST', `${uploads}?mount=sha256:${HEX}&digest=sha256:${HEX}`, [
      AUTHORIZED,
      'Content-Length: 0',
    ]),
    answers: ['400 UNSUPPORTED'],
  },
  {
    id: 'T-34',
    title: 'an upload that nobody began',
    bytes: request('PATCH', `${uploads}${'A'.repeat(120)}`, [AUTHORIZED, 'Content-Length: 2'], '{}'),
    answers: ['404 BLOB_UPLOAD_UNKNOWN'],
  },
  {
    id: 'V-14',
    title: 'a manifest announced with more than 4 MiB',
    bytes: request('PUT', MANIFEST, [AUTHORIZED, 'Content-Length: 104857600'], '{'),
    answers: ['413 SIZE_INVALID'],
    ends: true,
  },
  {
    id: 'V-14',
    title: 'a chunked manifest of more than 4 MiB',
    bytes: request(
      'PUT',
      MANIFEST,
      [AUTHORIZED, 'Transfer-Encoding: chunked'],
      chunked(' '.repeat(4_300_000)),
    ),
    answers: ['413 SIZE_INVALID'],
  },
];

export const WIRE_CASES: readonly WireCase[] = [
  ...targetCases,
  ...framing,
  ...bodies,
  ...headers,
  ...tokens,
  ...counts,
  ...blobHeads,
];
