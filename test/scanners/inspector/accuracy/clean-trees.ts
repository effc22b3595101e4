// biome-ignore-all lint/suspicious/noTemplateCurlyInString: files of configuration refer to what stands elsewhere
/**
 * File trees without a secret, as images have them: made here, of what looks like secrets and is none. What is random
 * in them comes from one seed, so that each run has the same.
 */
import { createHash, createPublicKey } from 'node:crypto';
import type { ImageEntry } from '../../../support/image.ts';
import { createRandom, newPrivateKey } from '../scanning.ts';

const random = createRandom('clean trees');
const HEX = '0123456789abcdef';

export type Trees = ReadonlyMap<string, readonly ImageEntry[]>;

const hex = (length: number) => random(length, HEX);
const base64 = (bytes: number) => Buffer.from(random(bytes)).toString('base64');
const lines = (count: number, line: (at: number) => string) =>
  `${Array.from({ length: count }, (_, at) => line(at)).join('\n')}\n`;
const uuid = () => [8, 4, 4, 4, 12].map(hex).join('-');
const integrity = () => `sha512-${createHash('sha512').update(random(20)).digest('base64')}`;
const publicKey = () => createPublicKey(newPrivateKey()).export({ type: 'spki', format: 'pem' }).toString();
const certificate = () =>
  `-----BEGIN CERTIFICATE-----\n${base64(600).replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

function file(path: string, data: string | Uint8Array): ImageEntry {
  return { path, data };
}

export function cleanTrees(): Trees {
  return new Map<string, readonly ImageEntry[]>([
    ...applications(),
    ...services(),
    ...systems(),
    ...papers(),
    ...builds(),
  ]);
}

function applications(): Iterable<readonly [string, readonly ImageEntry[]]> {
  const minified = lines(
    20,
    () =>
      `!function(e,t){var ${random(3)}="${base64(300)}",token=e.token||"",password=t.password;${random(400)}}(this,{});`,
  );
  return Object.entries({
    'a Node application with a lockfile': [
      file('app/package.json', '{"name":"shop","scripts":{"start":"node ."}}'),
      file(
        'app/package-lock.json',
        JSON.stringify(
          {
            packages: Object.fromEntries(
              Array.from({ length: 200 }, () => [`node_modules/${random(8)}`, { integrity: integrity() }]),
            ),
          },
          null,
          2,
        ),
      ),
      file('app/.npmrc', '//registry.npmjs.org/:_authToken=${NPM_TOKEN}\nalways-auth=true\n'),
      file(
        'app/index.js',
        "const token = process.env.API_TOKEN;\nconst password = config.get('db.password');\n",
      ),
    ],
    'scripts made small, with source maps': [
      file('app/dist/main.min.js', minified),
      file('app/dist/main.js.map', JSON.stringify({ version: 3, mappings: random(4000) })),
    ],
    'texts in many languages': [
      file(
        'app/i18n/en.json',
        '{"password":"Your password","token":"Security-Token","secret":"Keep it secret-2"}',
      ),
      file(
        'app/i18n/de.yml',
        'de:\n  password: Kennwort\n  token: Sicherheitsschluessel\n  api_key: "API-Schluessel"\n',
      ),
      file('app/i18n/fr.properties', 'password=Motdepasse\nsecret=Confidentiel\nlogin.token=Jeton\n'),
    ],
    'a virtual environment of Python': [
      file('venv/pyvenv.cfg', 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.12.1\n'),
      file(
        'venv/lib/python3.12/site-packages/x-1.dist-info/RECORD',
        lines(300, (at) => `x/m${at}.py,sha256=${random(43)},${at}`),
      ),
      file(
        'venv/lib/python3.12/site-packages/x/auth.py',
        'def login(user, password=None, token="unset"):\n    return password or token\n',
      ),
    ],
    'settings of Django': [
      file(
        'app/settings.py',
        'SECRET_KEY = os.environ["SECRET_KEY"]\nPASSWORD = env("DB_PASSWORD")\nTOKEN = get_secret("token-of-app")\n',
      ),
    ],
    'an application of Spring': [
      file(
        'app/application.properties',
        'spring.datasource.password=${DB_PASSWORD}\nkeystore.password=${KEYSTORE_PASSWORD:changeit}\njwt.secret=#{environment.jwt}\n',
      ),
      file(
        'app/application.yml',
        'spring:\n  security:\n    user:\n      password: ${ADMIN_PASSWORD}\n    token: "{cipher}"\n',
      ),
      file(
        'app/META-INF/MANIFEST.MF',
        lines(40, () => `SHA-256-Digest: ${base64(32)}`),
      ),
    ],
    'a service in Go': [
      file(
        'src/go.sum',
        lines(300, () => `example.org/${random(6)} v1.2.3 h1:${random(43)}=`),
      ),
      file('src/main.go', 'var password = flag.String("password", "", "password of the database")\n'),
    ],
    'settings of .NET': [
      file(
        'app/appsettings.json',
        '{"ConnectionStrings":{"Main":"Server=db;Database=app;Integrated Security=true"},"ApiKey":"","Jwt":{"Secret":"<from the vault>"}}',
      ),
    ],
    'an application of Rails': [
      file(
        'app/config/database.yml',
        'production:\n  url: <%= ENV["DATABASE_URL"] %>\n  password: <%= ENV["DB_PASSWORD"] %>\n',
      ),
      file('app/config/credentials.yml.enc', `${base64(400)}--${base64(12)}--${base64(16)}`),
    ],
    'a site in PHP': [
      file(
        'var/www/wp-config-sample.php',
        "define( 'DB_PASSWORD', 'password_here' );\ndefine( 'AUTH_KEY', 'put your unique phrase here' );\n",
      ),
      file('var/www/config.php', "$password = getenv('DB_PASSWORD');\n$token = $request->get('token');\n"),
    ],
    'environments to be filled in': [
      file('app/.env.example', 'DB_PASSWORD=Sommer2024!x\nAPI_TOKEN=q8Jd02hf6sKK\n'),
      file(
        'app/.env',
        'DB_PASSWORD=${DB_PASSWORD}\nAPI_TOKEN=\nSECRET_KEY=<your-secret-key>\nTOKEN_FILE=/run/secrets/token\nNODE_ENV=production\n',
      ),
    ],
    'lockfiles of other languages': [
      file(
        'app/Cargo.lock',
        lines(100, () => `[[package]]\nname = "${random(6)}"\nchecksum = "${hex(64)}"`),
      ),
      file(
        'app/poetry.lock',
        lines(100, () => `    {file = "x.whl", hash = "sha256:${hex(64)}"},`),
      ),
      file(
        'app/yarn.lock',
        lines(100, () => `  integrity ${integrity()}`),
      ),
      file('app/composer.lock', JSON.stringify(Array.from({ length: 50 }, () => ({ reference: hex(40) })))),
    ],
  });
}

function services(): Iterable<readonly [string, readonly ImageEntry[]]> {
  return Object.entries({
    nginx: [
      file(
        'etc/nginx/nginx.conf',
        'server {\n  ssl_certificate_key /etc/nginx/tls/server.key;\n  auth_basic_user_file /etc/nginx/htpasswd;\n  proxy_set_header Authorization $http_authorization;\n}\n',
      ),
    ],
    apache: [
      file(
        'etc/apache2/apache2.conf',
        'SSLCertificateKeyFile /etc/ssl/private/site.key\nAuthUserFile /etc/apache2/users\nRequestHeader set X-Token "%{TOKEN}e"\n',
      ),
    ],
    postgres: [
      file(
        'etc/postgresql/postgresql.conf',
        "password_encryption = scram-sha-256\nssl_key_file = '/etc/ssl/private/db.key'\n#ssl_passphrase_command = ''\n",
      ),
      file('etc/postgresql/pg_hba.conf', 'host all all 0.0.0.0/0 scram-sha-256\n'),
    ],
    mysql: [
      file(
        'etc/mysql/my.cnf',
        '[client]\nport = 3306\n#password = your_password\n[mysqld]\nvalidate_password=FORCE_PLUS_PERMANENT\n',
      ),
    ],
    redis: [
      file(
        'etc/redis/redis.conf',
        '# requirepass foobared\n# masterauth <master-password>\nprotected-mode yes\n',
      ),
    ],
    'compose and its references': [
      file(
        'srv/docker-compose.yml',
        'services:\n  db:\n    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/db\n      POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}\n      URL: postgres://app:${DB_PASSWORD}@db.corp.net/app\n',
      ),
    ],
    'a chart of Helm': [
      file('chart/values.yaml', 'auth:\n  password: ""\n  existingSecret: app-secret\n  token: null\n'),
      file(
        'chart/templates/secret.yaml',
        'data:\n  password: {{ .Values.auth.password | b64enc | quote }}\n  token: "{{ randAlphaNum 32 }}"\n',
      ),
    ],
    'objects of Kubernetes': [
      file(
        'deploy/app.yaml',
        'env:\n  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef:\n        name: db-credentials-v2\n        key: password\n',
      ),
    ],
    terraform: [
      file(
        'infra/main.tf',
        'resource "db" "main" {\n  password = var.db_password\n  token    = data.vault_generic_secret.app.data["token"]\n}\n',
      ),
      file('infra/prod.tfvars', 'region = "eu-central-1"\npassword_length = 32\n'),
    ],
    'workflows of a forge': [
      file(
        'app/.github/workflows/ci.yml',
        'env:\n  TOKEN: ${{ secrets.GITHUB_TOKEN }}\n  password: ${{ secrets.REGISTRY_PASSWORD }}\n',
      ),
      file('app/.gitlab-ci.yml', 'variables:\n  TOKEN: $CI_JOB_TOKEN\n  SECRET_KEY: "$SECRET_KEY_OF_CI"\n'),
    ],
    'dashboards and alerts': [
      file(
        'etc/grafana/grafana.ini',
        'password = $__file{/run/secrets/grafana}\nsecret_key = ${GF_SECRET_KEY}\n;admin_password = admin\n',
      ),
      file(
        'etc/prometheus/prometheus.yml',
        'basic_auth:\n  username: prom\n  password_file: /run/secrets/prom\n',
      ),
    ],
    'units of systemd': [
      file(
        'usr/lib/systemd/system/app.service',
        '[Service]\nLoadCredential=token:/etc/app/token\nEnvironment=TOKEN_FILE=%d/token\n',
      ),
    ],
  });
}

function systems(): Iterable<readonly [string, readonly ImageEntry[]]> {
  return Object.entries({
    'the /etc of Debian': [
      file('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n'),
      file('etc/shadow', 'root:*:19700:0:99999:7:::\nwww-data:*:19700:0:99999:7:::\n'),
      file('etc/login.defs', 'PASS_MAX_DAYS 99999\nENCRYPT_METHOD YESCRYPT\n'),
      file(
        'etc/pam.d/common-password',
        'password requisite pam_deny.so\npassword [success=1 default=ignore] pam_unix.so obscure yescrypt\n',
      ),
      file(
        'etc/debconf.conf',
        'Name: passwords\nDriver: File\nAccept-Type: password\nFilename: /var/cache/debconf/passwords.dat\n',
      ),
      file('etc/ssl/private/ssl-cert-snakeoil.key', newPrivateKey()),
    ],
    'the /etc of Alpine': [
      file('etc/apk/keys/alpine-devel.rsa.pub', publicKey()),
      file('etc/shadow', 'root:*::0:::::\nbin:!::0:::::\n'),
      file(
        'lib/apk/db/installed',
        lines(200, () => `C:Q1${random(27)}=`),
      ),
    ],
    'certificates without keys': [
      file('etc/ssl/certs/ca-certificates.crt', Array.from({ length: 30 }, certificate).join('')),
      file('etc/ssl/site.pub', publicKey()),
    ],
    'public keys and known hosts': [
      file(
        'root/.ssh/known_hosts',
        lines(5, () => `git.corp.net ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${random(43)}`),
      ),
      file('root/.ssh/id_ed25519.pub', `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${random(43)} me@host\n`),
      file('etc/ssh/ssh_config', 'Host *\n    PasswordAuthentication no\n    IdentityFile ~/.ssh/id_rsa\n'),
    ],
    'keys under a passphrase': [
      file(
        'etc/app/server.key',
        `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${base64(900)}\n-----END ENCRYPTED PRIVATE KEY-----\n`,
      ),
      file(
        'etc/app/sealed.yaml',
        `password: ENC[AES256_GCM,data:${base64(12)},iv:${base64(30)},tag:${base64(16)},type:str]\n`,
      ),
    ],
    'keys of the tests of packages': [
      file('app/node_modules/tls-kit/test/fixtures/key.pem', newPrivateKey()),
      file('usr/lib/python3.12/test/certdata/keycert.pem', newPrivateKey() + certificate()),
      file('usr/share/go-1.24/src/crypto/x509/x509_test.go', `var pem = \`${newPrivateKey()}\`\n`),
    ],
    'programs and libraries': [
      file(
        'usr/bin/tool',
        Buffer.concat([Buffer.from('\x7fELF\0\0'), Buffer.from(random(200_000)), Buffer.alloc(64)]),
      ),
      file(
        'usr/lib/libx.so',
        Buffer.from(`\x7fELF\0password=%s\0token: %s\0https://%s:%s@%s/\0${random(50_000)}`),
      ),
    ],
    'a database of bcrypt hashes': [
      file(
        'srv/dump.sql',
        lines(50, () => `INSERT INTO users VALUES ('${uuid()}', '$2b$12$${random(53)}');`),
      ),
    ],
  });
}

function papers(): Iterable<readonly [string, readonly ImageEntry[]]> {
  const claims = Buffer.from('{"sub":"1234567890","name":"John Doe"}').toString('base64url');
  const jwt = `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')}.${claims}.${random(43)}`;
  return Object.entries({
    'a manual with the examples of AWS': [
      file(
        'app/docs/aws.md',
        'aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n',
      ),
      file(
        'app/README.md',
        'export GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nexport SLACK=xoxb-your-token-goes-here-please\nsk_live_xxxxxxxxxxxxxxxxxxxxxxxx\n',
      ),
    ],
    'a manual with addresses': [
      file(
        'app/docs/urls.md',
        'postgres://user:password@localhost:5432/db\nhttps://user:pass@example.com/\nmongodb://admin:secret123@db.example.org\nredis://:mypassword@127.0.0.1:6379\nhttp://proxyuser:proxypass@proxy:8080\n',
      ),
    ],
    'samples of signed tokens': [file('app/docs/jwt.md', `Authorization: Bearer ${jwt}\n`)],
    'a description of an interface': [
      file(
        'app/openapi.yaml',
        'components:\n  securitySchemes:\n    token:\n      type: apiKey\n      name: X-Api-Key\n      description: "password: as set by the administrator"\n  schemas:\n    Login:\n      properties:\n        password: { type: string, example: correct-horse }\n',
      ),
    ],
    'a notebook': [
      file(
        'work/analysis.ipynb',
        JSON.stringify({
          cells: [{ source: ['token = getpass()'], outputs: [{ 'image/png': base64(5000) }] }],
        }),
      ),
    ],
    'a log with what was struck out': [
      file(
        'var/log/app.log',
        lines(100, () => `${uuid()} token=**** password=[REDACTED] key=ghp_****${hex(40)}`),
      ),
    ],
  });
}

function builds(): Iterable<readonly [string, readonly ImageEntry[]]> {
  return Object.entries({
    'a folder of git': [
      file(
        'app/.git/config',
        '[remote "origin"]\n\turl = https://git.corp.net/team/app.git\n[credential]\n\thelper = store\n',
      ),
      file(
        'app/.git/packed-refs',
        lines(100, () => `${hex(40)} refs/tags/v1.${random(3)}`),
      ),
    ],
    'clients that keep no password': [
      file('root/.docker/config.json', '{"auths":{"reg.corp.net":{}},"credsStore":"secretservice"}'),
      file('root/.netrc', '# machine git.corp.net login me\n'),
      file(
        'root/.aws/config',
        '[default]\nregion = eu-central-1\nrole_arn = arn:aws:iam::123456789012:role/app\n',
      ),
      file('root/.pypirc', '[pypi]\nusername = __token__\n'),
    ],
    'sums and identifiers': [
      file(
        'app/SHA256SUMS',
        lines(200, () => `${hex(64)}  file`),
      ),
      file(
        'app/ids.csv',
        lines(500, () => `${uuid()},${hex(32)},${random(22)},AKIA-${random(4)}`),
      ),
    ],
    'pictures in style sheets': [
      file(
        'app/site.css',
        lines(20, () => `.i{background:url(data:image/png;base64,${base64(900)})}`),
      ),
    ],
    'public web keys': [
      file(
        'app/jwks.json',
        JSON.stringify({ keys: [{ kty: 'RSA', kid: uuid(), n: random(342), e: 'AQAB' }] }),
      ),
    ],
    'words that begin like tokens': [
      file(
        'app/words.txt',
        'ghp_ is the prefix; npm_config_registry=x; hf_hub_download(repo); SG.UI.Window; gsk_window_new; dapi_client; glc_context; pypi-AgE is one, too\n',
      ),
    ],
  });
}
