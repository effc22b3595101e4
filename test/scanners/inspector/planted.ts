/** One made-up secret of each kind, with the file that people leave it in. */
import { generateKeyPairSync } from 'node:crypto';
import { createRandom, newPrivateKey } from './scanning.ts';

const random = createRandom('planted');

export interface Planted {
  /** The finding that it must lead to. */
  readonly id: string;
  readonly path: string;
  readonly data: string;
  /** What no report may repeat. */
  readonly secret: string;
}

const HEX = '0123456789abcdef';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function plant(id: string, path: string, secret: string, write: (secret: string) => string): Planted {
  return { id, path, secret, data: write(secret) };
}

/** In the format of OpenSSH, whose frame is all that is read of it. */
function newOpenSshKey(): string {
  const text = (value: Buffer | string): Buffer => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const check = Buffer.from('0badcafe0badcafe', 'hex');
  const secret = Buffer.concat([
    check,
    text('ssh-ed25519'),
    text(random(32)),
    text(random(64)),
    text('me@host'),
  ]);
  const one = Buffer.from([0, 0, 0, 1]);
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    text('none'),
    text('none'),
    text(''),
    one,
    text(random(51)),
    text(secret),
  ]);
  const lines = body.toString('base64').replace(/.{70}/g, '$&\n');
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

function newRsaKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function newPgpKey(): string {
  // Packet tag 5 in the old format, version 4; what follows could be anything.
  const body = Buffer.concat([Buffer.from([0x95, 0x03, 0xbe, 0x04]), Buffer.from(random(600))]);
  const lines = body.toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n${lines}\n=aB3d\n-----END PGP PRIVATE KEY BLOCK-----\n`;
}

function serviceAccountToken(): string {
  const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: random(10) })).toString('base64url');
  const claims = { iss: 'kubernetes/serviceaccount', sub: 'system:serviceaccount:prod:deployer' };
  return `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${random(342)}`;
}

/** New ones at each call. */
export function plantSecrets(): readonly Planted[] {
  const password = `kV9!${random(14)}`;
  const url = (scheme: string, host: string): ((secret: string) => string) => {
    return (secret) => `ADDRESS=${scheme}://deploy:${secret}@${host}/x\n`;
  };
  return [
    plant(
      'aws-secret-access-key',
      '/root/.aws/credentials',
      random(40),
      (secret) =>
        `[default]\naws_access_key_id = AKIA${random(16, UPPER)}\naws_secret_access_key = ${secret}\n`,
    ),
    plant(
      'aws-access-key-pair',
      '/app/deploy.rb',
      `${random(19)}/${random(20)}`,
      (secret) => `Aws.login("AKIA${random(16, UPPER)}", "${secret}")\n`,
    ),
    plant('private-key', '/root/.ssh/id_ecdsa', newPrivateKey(), (secret) => secret),
    plant('private-key', '/root/.ssh/id_ed25519', newOpenSshKey(), (secret) => secret),
    plant('private-key', '/etc/nginx/tls/server.key', newRsaKey(), (secret) => secret),
    plant('pgp-private-key', '/root/signing.asc', newPgpKey(), (secret) => secret),
    plant('gcp-service-account-key', '/app/google.json', newRsaKey(), (secret) =>
      JSON.stringify({ type: 'service_account', private_key_id: random(40, HEX), private_key: secret }),
    ),
    plant('gcp-api-key', '/app/maps.js', `AIza${random(35)}`, (secret) => `const key = "${secret}";\n`),
    plant(
      'google-oauth-client-secret',
      '/app/oauth.json',
      `GOCSPX-${random(28)}`,
      (secret) => `{"client_secret":"${secret}"}`,
    ),
    plant(
      'azure-storage-account-key',
      '/app/azure.cfg',
      `${random(86)}==`,
      (secret) =>
        `DefaultEndpointsProtocol=https;AccountName=prod;AccountKey=${secret};EndpointSuffix=core.windows.net\n`,
    ),
    plant('docker-config-auth', '/root/.docker/config.json', btoa(`ci:${password}`), (secret) =>
      JSON.stringify({ auths: { 'reg.corp.net': { auth: secret } } }),
    ),
    plant(
      'github-token',
      '/app/fetch.sh',
      `ghp_${random(36)}`,
      (secret) => `curl -H "Authorization: ${secret}"\n`,
    ),
    plant('gitlab-token', '/app/.gitlab', `glpat-${random(20)}`, (secret) => `token ${secret}\n`),
    plant(
      'npm-token',
      '/root/.npmrc',
      `npm_${random(36)}`,
      (secret) => `//registry.npmjs.org/:_authToken=${secret}\n`,
    ),
    plant(
      'slack-token',
      '/app/bot.py',
      `xoxb-${random(12, '123456789')}-${random(24)}`,
      (secret) => `slack = Client("${secret}")\n`,
    ),
    plant(
      'stripe-live-key',
      '/app/pay.php',
      `sk_live_${random(24)}`,
      (secret) => `Stripe::key('${secret}');\n`,
    ),
    plant(
      'sendgrid-api-key',
      '/app/mail.js',
      `SG.${random(22)}.${random(43)}`,
      (secret) => `mail("${secret}")\n`,
    ),
    plant(
      'openai-api-key',
      '/app/ai.py',
      `sk-${random(20)}T3BlbkFJ${random(20)}`,
      (secret) => `k = "${secret}"\n`,
    ),
    plant(
      'anthropic-api-key',
      '/app/chat.py',
      `sk-ant-api03-${random(93)}AA`,
      (secret) => `k = "${secret}"\n`,
    ),
    plant('huggingface-token', '/app/model.py', `hf_${random(34)}`, (secret) => `login("${secret}")\n`),
    plant(
      'pypi-token',
      '/root/.pypirc',
      `pypi-AgEIcHlwaS5vcmc${random(130)}`,
      (secret) => `password = ${secret}\n`,
    ),
    plant('vault-token', '/root/.vault-token', `hvs.${random(95)}`, (secret) => secret),
    plant(
      'digitalocean-token',
      '/app/do.tf',
      `dop_v1_${random(64, HEX)}`,
      (secret) => `token = "${secret}"\n`,
    ),
    plant('docker-access-token', '/app/login.sh', `dckr_pat_${random(27)}`, (secret) => `echo ${secret}\n`),
    plant('database-url-with-password', '/app/db.py', password, url('postgresql', 'db.corp.net:5432')),
    plant('url-with-password', '/app/feed.conf', password, url('https', 'feed.corp.net')),
    plant('kubernetes-token', '/app/kube.conf', serviceAccountToken(), (secret) => `bearer ${secret}\n`),
    plant(
      'netrc-password',
      '/root/.netrc',
      password,
      (secret) => `machine a.net login b password ${secret}\n`,
    ),
    plant('pgpass-password', '/root/.pgpass', password, (secret) => `db.corp.net:5432:app:app:${secret}\n`),
    plant('password-assignment', '/app/.env', password, (secret) => `PORT=80\nDB_PASSWORD=${secret}\n`),
  ];
}
