/** How people and programs write down secrets: each kind in several files. */
import type { ImageEntry } from '../../../support/image.ts';
import { plantSecrets } from '../planted.ts';

export interface Spelled {
  /** The kind of secret, by the id of its finding. */
  readonly kind: string;
  readonly spelling: string;
  readonly file: ImageEntry;
}

type Spelling = (secret: string) => { readonly name: string; readonly data: string | Uint8Array };

/** For what is known by its shape, wherever it stands. */
const ANYWHERE: Readonly<Record<string, Spelling>> = {
  environment: (secret) => ({ name: '.env', data: `PORT=80\nX_TOKEN=${secret}\n` }),
  export: (secret) => ({ name: 'run.sh', data: `#!/bin/sh\nexport X_TOKEN="${secret}"\nexec app\n` }),
  json: (secret) => ({ name: 'settings.json', data: `{"a":1,"credentials":{"token":"${secret}"}}` }),
  yaml: (secret) => ({ name: 'values.yaml', data: `app:\n  token: ${secret}\n  port: 80\n` }),
  xml: (secret) => ({ name: 'app.xml', data: `<config><token>${secret}</token></config>` }),
  header: (secret) => ({
    name: 'fetch.py',
    data: `get(url, headers={'Authorization': 'Bearer ${secret}'})\n`,
  }),
  query: (secret) => ({ name: 'feed.txt', data: `https://api.corp.net/v1?key=${secret}&page=1\n` }),
  minified: (secret) => ({
    name: 'm.min.js',
    data: `!function(){var a='${'x;'.repeat(5000)}',t='${secret}';f(t)}();`,
  }),
  'carriage returns': (secret) => ({ name: 'app.ini', data: `[x]\r\ntoken=${secret}\r\n` }),
  'last without an end': (secret) => ({ name: 'token', data: secret }),
  'UTF-16': (secret) => ({ name: 'app.ps1', data: Buffer.from(`\ufeff$t = "${secret}"\n`, 'utf16le') }),
  binary: (secret) => ({ name: 'server', data: `\x7fELF\0\0\0${secret}\0more` }),
};
const KINDS_ANYWHERE: ReadonlySet<string> = new Set([
  ...[
    'gcp-api-key',
    'google-oauth-client-secret',
    'github-token',
    'gitlab-token',
    'npm-token',
    'slack-token',
  ],
  ...['stripe-live-key', 'sendgrid-api-key', 'openai-api-key', 'anthropic-api-key', 'huggingface-token'],
  ...['pypi-token', 'vault-token', 'digitalocean-token', 'docker-access-token', 'kubernetes-token'],
]);

const indent = (text: string) => text.trimEnd().replace(/^/gm, '    ');
const escaped = (text: string) => text.replaceAll('\n', '\\n');

/** For blocks of many lines. */
const BLOCKS: Readonly<Record<string, Spelling>> = {
  file: (key) => ({ name: 'server.key', data: key }),
  'carriage returns': (key) => ({ name: 'server.key', data: key.replaceAll('\n', '\r\n') }),
  'indented in YAML': (key) => ({ name: 'tls.yaml', data: `tls:\n  key: |\n${indent(key)}\n  port: 1\n` }),
  'escaped in JSON': (key) => ({ name: 'tls.json', data: JSON.stringify({ key }) }),
  'escaped in an environment': (key) => ({ name: '.env', data: `TLS_KEY="${escaped(key)}"\n` }),
  'in a script': (key) => ({ name: 'start.sh', data: `cat > /k.pem <<EOF\n${key}EOF\nexec app\n` }),
  'in source': (key) => ({ name: 'tls.js', data: `const key = \`${key}\`;\n` }),
  'in strings of C': (key) => ({
    name: 'tls.c',
    data: key
      .trimEnd()
      .split('\n')
      .map((line) => `"${line}\\n"`)
      .join('\n'),
  }),
  'behind a certificate': (key) => ({
    name: 'both.pem',
    data: `-----BEGIN CERTIFICATE-----\n${'QUJD'.repeat(200)}\n-----END CERTIFICATE-----\n${key}`,
  }),
};

const AWS: Readonly<Record<string, Spelling>> = {
  credentials: (secret) => ({ name: 'credentials', data: `[default]\naws_secret_access_key = ${secret}\n` }),
  'credentials without spaces': (secret) => ({
    name: 'credentials',
    data: `aws_secret_access_key=${secret}\n`,
  }),
  environment: (secret) => ({ name: '.env', data: `AWS_SECRET_ACCESS_KEY=${secret}\n` }),
  export: (secret) => ({ name: 'run.sh', data: `export AWS_SECRET_ACCESS_KEY="${secret}"\n` }),
  json: (secret) => ({ name: 'aws.json', data: `{"AWS_SECRET_ACCESS_KEY":"${secret}"}` }),
  yaml: (secret) => ({ name: 'aws.yaml', data: `aws_secret_access_key: ${secret}\n` }),
  'yaml, quoted': (secret) => ({ name: 'aws.yaml', data: `AWS_SECRET_ACCESS_KEY: '${secret}'\n` }),
  camel: (secret) => ({ name: 'aws.js', data: `const c = { secretAccessKey: '${secret}', region: 'x' };\n` }),
  'camel in JSON': (secret) => ({ name: 'aws.json', data: `{"SecretAccessKey": "${secret}"}` }),
  properties: (secret) => ({ name: 'aws.properties', data: `aws.secretAccessKey=${secret}\n` }),
};

const urls = (scheme: string): Readonly<Record<string, Spelling>> => {
  const url = (secret: string) => `${scheme}://deploy:${secret}@db.corp.net/app`;
  return {
    environment: (secret) => ({ name: '.env', data: `URL=${url(secret)}\n` }),
    json: (secret) => ({ name: 'db.json', data: `{"url":"${url(secret)}"}` }),
    yaml: (secret) => ({ name: 'db.yaml', data: `url: "${url(secret)}"\n` }),
    source: (secret) => ({ name: 'db.py', data: `connect('${url(secret)}')\n` }),
    xml: (secret) => ({ name: 'db.xml', data: `<url>${url(secret)}</url>` }),
    list: (secret) => ({ name: 'sources.list', data: `deb ${url(secret)} stable main\n` }),
  };
};

const ASSIGNMENTS: Readonly<Record<string, Spelling>> = {
  environment: (secret) => ({ name: '.env', data: `DB_PASSWORD=${secret}\n` }),
  'environment, quoted': (secret) => ({ name: 'prod.env', data: `DB_PASSWORD="${secret}"\n` }),
  properties: (secret) => ({
    name: 'application.properties',
    data: `spring.datasource.password=${secret}\n`,
  }),
  yaml: (secret) => ({ name: 'database.yml', data: `production:\n  password: ${secret}\n` }),
  'yaml, quoted': (secret) => ({ name: 'app.yaml', data: `db:\n  password: "${secret}"\n` }),
  ini: (secret) => ({ name: 'app.ini', data: `[db]\npassword = ${secret}\n` }),
  toml: (secret) => ({ name: 'app.toml', data: `[db]\npassword = "${secret}"\n` }),
  json: (secret) => ({ name: 'config.json', data: `{\n  "password": "${secret}",\n  "port": 1\n}\n` }),
  'json in one line': (secret) => ({
    name: 'config.json',
    data: `{"user":"a","password":"${secret}","port":1}`,
  }),
  terraform: (secret) => ({ name: 'prod.tfvars', data: `db_password = "${secret}"\n` }),
  python: (secret) => ({ name: 'settings.py', data: `DB_PASSWORD = '${secret}'\n` }),
  'a dict of Django': (secret) => ({
    name: 'settings.py',
    data: `DATABASES = {\n    'PASSWORD': '${secret}',\n}\n`,
  }),
  wordpress: (secret) => ({ name: 'wp-config.php', data: `define( 'DB_PASSWORD', '${secret}' );\n` }),
  'carriage returns': (secret) => ({ name: '.env', data: `DB_PASSWORD=${secret}\r\nA=1\r\n` }),
};

const docker = (auth: string, space: string) =>
  `{${space}"auths":${space}{"reg.corp.net":{"auth":${space}"${auth}"}}}`;

const OWN: Readonly<Record<string, Readonly<Record<string, Spelling>>>> = {
  'private-key': BLOCKS,
  'pgp-private-key': BLOCKS,
  'aws-secret-access-key': AWS,
  'database-url-with-password': {
    ...urls('postgresql'),
    ...suffixed(urls('mysql'), 'mysql'),
    ...suffixed(urls('mongodb+srv'), 'mongodb'),
  },
  'url-with-password': {
    ...urls('https'),
    ...suffixed(urls('amqp'), 'amqp'),
    ...suffixed(urls('rediss'), 'rediss'),
  },
  'password-assignment': ASSIGNMENTS,
  'docker-config-auth': {
    'config.json': (auth) => ({ name: 'config.json', data: docker(auth, '') }),
    'with spaces': (auth) => ({ name: 'config.json', data: docker(auth, ' ') }),
    'with lines': (auth) => ({ name: 'auth.json', data: docker(auth, '\n\t') }),
    'old .dockercfg': (auth) => ({
      name: '.dockercfg',
      data: `{"reg.corp.net":{"auth":"${auth}","email":"a@b.net"}}`,
    }),
  },
  'netrc-password': {
    'one line': (secret) => ({ name: '.netrc', data: `machine a.net login b password ${secret}\n` }),
    lines: (secret) => ({ name: '.netrc', data: `machine a.net\n  login b\n  password ${secret}\n` }),
    windows: (secret) => ({ name: '_netrc', data: `machine a.net\r\nlogin b\r\npassword ${secret}\r\n` }),
    default: (secret) => ({ name: '.netrc', data: `default login b password ${secret}` }),
  },
  'pgpass-password': {
    line: (secret) => ({ name: '.pgpass', data: `db.corp.net:5432:app:app:${secret}\n` }),
    stars: (secret) => ({ name: '.pgpass', data: `# mine\n*:*:*:app:${secret}\n` }),
  },
  'azure-storage-account-key': {
    string: (key) => ({
      name: 'azure.cfg',
      data: `x="AccountName=prod;AccountKey=${key};EndpointSuffix=core.windows.net"\n`,
    }),
    environment: (key) => ({
      name: '.env',
      data: `AZURE=DefaultEndpointsProtocol=https;AccountName=p;AccountKey=${key}\n`,
    }),
    json: (key) => ({ name: 'azure.json', data: `{"c":"AccountName=prod;AccountKey=${key};"}` }),
    bus: (key) => ({
      name: 'bus.json',
      data: `{"c":"Endpoint=sb://a/;SharedAccessKeyName=x;SharedAccessKey=${key}"}`,
    }),
    'UTF-16': (key) => ({
      name: 'a.ps1',
      data: Buffer.from(`\ufeffAccountName=p;AccountKey=${key};`, 'utf16le'),
    }),
  },
};

function suffixed(
  spellings: Readonly<Record<string, Spelling>>,
  by: string,
): Readonly<Record<string, Spelling>> {
  return Object.fromEntries(
    Object.entries(spellings).map(([name, spelling]) => [`${name}, ${by}`, spelling]),
  );
}

/** Every planted secret in its own file and in each spelling of its kind. */
export function spelledSecrets(): readonly Spelled[] {
  return plantSecrets().flatMap(({ id, path, data, secret }, kindAt) => {
    const spellings = Object.entries(KINDS_ANYWHERE.has(id) ? ANYWHERE : (OWN[id] ?? {}));
    const own = { kind: id, spelling: 'as planted', file: { path: `s${kindAt}/own${path}`, data } };
    const others = spellings.map(([spelling, spell], at) => {
      const { name, data: spelled } = spell(secret);
      return { kind: id, spelling, file: { path: `s${kindAt}/n${at}/${name}`, data: spelled } };
    });
    return [own, ...others];
  });
}
