/**
 * The house: which room may enter which. The table in CONTRIBUTING.md is the prose of this file.
 * A room is a folder of src/; it is entered by its index.ts.
 */
const decisions = ['roles', 'policy', 'limits'];
const services = ['auth', 'verdicts', 'audit', 'content'];
const rooms = {
  base: [],
  oci: ['base'],
  roles: ['base', 'oci'],
  policy: ['base', 'oci'],
  limits: ['base'],
  traffic: ['base', 'oci', 'limits'],
  auth: ['base', 'oci', 'roles', 'limits'],
  verdicts: ['base', 'oci', 'policy'],
  audit: ['base', 'oci'],
  content: ['base', 'oci'],
  origin: ['base', 'oci', 'content'],
  upstream: ['base', 'oci', 'content'],
  scanners: ['base', 'oci', 'policy', 'verdicts'],
  trust: ['base', 'oci', 'policy'],
  feeds: ['base', 'policy', 'verdicts'],
  store: ['base', 'oci', ...decisions, ...services, 'webhooks'],
  cluster: ['base', 'oci', ...decisions, 'auth', 'verdicts'],
  outlets: ['base', 'audit'],
  webhooks: ['base', 'oci', 'policy', 'audit', 'outlets'],
  ldap: ['base', 'auth'],
  oidc: ['base', 'auth'],
  tls: ['base'],
  telemetry: ['base'],
  config: ['base', 'oci', 'policy'],
  gateway: ['base', 'oci', 'traffic', ...decisions, ...services],
  api: ['base', 'oci', 'traffic', ...decisions, ...services],
  cli: ['base', 'oci', 'config', 'audit', 'app'],
  app: ['*'],
};

const doorRules = Object.entries(rooms)
  .filter(([, may]) => !may.includes('*'))
  .map(([room, may]) => ({
    name: `${room}-imports`,
    comment: `src/${room}/ may import only: ${may.join(', ') || 'nothing'}`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: [`^src/${room}/`, ...may.map((other) => `^src/${other}/index\\.ts$`)] },
  }));

module.exports = {
  forbidden: [
    ...doorRules,
    {
      name: 'front-door',
      comment: 'A room is entered by its index.ts',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/([^/]+)/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'pure-rooms',
      comment:
        'oci, roles, policy and limits import no Node module and no package (zod, itself pure, excepted)',
      severity: 'error',
      from: { path: '^src/(oci|roles|policy|limits)/' },
      to: { dependencyTypes: ['core', 'npm'], pathNot: 'node_modules/zod/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'only-store-speaks-sql',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/store/' },
      to: { path: ['node_modules/(kysely|pg)/', '^(node:)?sqlite$'] },
    },
    {
      name: 'only-cluster-speaks-redis',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cluster/' },
      to: { path: 'node_modules/ioredis/' },
    },
    {
      name: 'only-api-speaks-express',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/api/' },
      to: { path: 'node_modules/express/' },
    },
    {
      name: 'only-ldap-speaks-ldap',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/ldap/' },
      to: { path: 'node_modules/ldapts/' },
    },
    {
      name: 'only-oidc-speaks-openid',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/oidc/' },
      to: { path: 'node_modules/openid-client/' },
    },
    {
      name: 'only-upstream-proxies',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/upstream/' },
      to: { path: 'node_modules/http-proxy/' },
    },
    {
      name: 'only-trust-reads-sigstore',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/trust/' },
      to: { path: 'node_modules/@sigstore/' },
    },
    {
      name: 'only-tls-uses-forge',
      comment: 'node-forge creates certificates; nothing from outside is ever verified by it',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/tls/' },
      to: { path: 'node_modules/node-forge/' },
    },
    {
      name: 'not-to-dev-dep',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // TypeScript 7 has no JavaScript API yet, so swc reads the sources, type-only imports included.
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
