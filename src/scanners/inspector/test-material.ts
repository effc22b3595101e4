import type { TextOrigin } from './secret-rule.ts';

/**
 * Test keys in packages. Suites of crypto libraries come with real private keys and sample passwords, as public
 * as the package; GnuTLS carries the keys of its self-test in the library itself. They are reported as negligible
 * and refuse no image. The rule is narrow on purpose: it needs a folder that a package manager fills, a place in
 * it that says "test" or "example", and a kind of secret that tests use. A cloud or registry token counts wherever
 * it lies. Whoever wants to can hide a key there: what is looked for are secrets left by accident.
 */

const PACKAGE_FOLDER =
  /^\/(?:usr\/)?lib(?:32|64|exec)?\/|^\/usr\/(?:share|include|src)\/|^\/usr\/local\/(?:lib|share|go|rustup|cargo)\/|^\/opt\/conda\/|\/(?:site-packages|dist-packages|node_modules|gems|vendor|go\/pkg\/mod|\.cargo\/registry|\.m2\/repository)\//;

/** Where distributions put programs; one's own go to `/usr/local/bin` or `/app`. */
const PACKAGE_PROGRAM = /^\/(?:usr\/)?s?bin\//;

/** Manuals: whatever stands there is a sample. */
const MANUALS = /^\/usr\/(?:local\/)?share\/(?:doc|man|info|gtk-doc|help)\//;

/** Made by Debian's ssl-cert and Red Hat's mod_ssl when they are installed; nobody trusts their certificates. */
const SNAKE_OIL: ReadonlySet<string> = new Set([
  '/etc/ssl/private/ssl-cert-snakeoil.key',
  '/etc/pki/tls/private/localhost.key',
]);

const TEST_FOLDER =
  /\/(?:t|tests?|[\w.]+[-_]tests?|tests?[-_][\w.]+|testing|testdata|testcerts?|testsuite|__tests__|specs?|fixtures?|mocks?|dummy\w*|examples?|samples?|demos?|docs?|vignettes)\//i;

const TEST_FILE =
  /(?:_test\.go|\/tests?_[^/]+\.py|_tests?\.py|[._-](?:test|spec)\.[cm]?[jt]sx?|_spec\.rb|_test\.rb|\.(?:rst|md|pod|t))$/i;

/** The kinds that tests and manuals cannot do without. */
const SAMPLE_KINDS: ReadonlySet<string> = new Set([
  'private-key',
  'pgp-private-key',
  'gcp-service-account-key',
  'url-with-password',
  'database-url-with-password',
  'password-assignment',
]);

/** What the makers of command line tools and web pages publish in them, since it only names the program. */
const PUBLISHED_KINDS: ReadonlySet<string> = new Set(['gcp-api-key', 'google-oauth-client-secret']);

/** Files in which an application is told its passwords, wherever they lie. */
const APPLICATION_SETTINGS =
  /(?:^|\/)(?:\.?env(?:\.[\w.-]+)?|[^/]+\.(?:env|tfvars)|\.(?:npmrc|pypirc|my\.cnf|s3cfg|boto|dockercfg)|credentials|secrets?(?:\.\w+)?|(?:local_)?settings(?:\.local)?\.(?:py|json)|config\.(?:php|json)|wp-config\.php|appsettings(?:\.\w+)?\.json|database\.yml|application(?:-\w+)?\.(?:properties|ya?ml))$/i;
/** Files of settings in general; what packages install of these holds samples and defaults. */
const ANY_SETTINGS = /\.(?:ini|cfg|conf|cnf|properties|ya?ml|toml)$/i;

/** Names of samples that are to be copied and filled in. */
const TEMPLATE = /\.(?:example|sample|dist|template|tmpl|tpl|j2|erb|in)$/i;

/** Texts of a program in a language of people: what they call a password is its label. */
const LANGUAGES =
  /\/(?:i18n|l10n|locales?|lang(?:uage)?s?|translations?)\/|\/messages(?:[_.-]\w+)?\.(?:properties|ya?ml|json)$/i;

export function isSettingsFile({ path, isBinary }: TextOrigin): boolean {
  if (isBinary || TEMPLATE.test(path) || LANGUAGES.test(path)) return false;
  return APPLICATION_SETTINGS.test(path) || (ANY_SETTINGS.test(path) && !PACKAGE_FOLDER.test(path));
}

/** Whether a secret of this kind in this file came with a package and is no secret at all. */
export function isTestMaterial({ path, isBinary }: TextOrigin, kind: string): boolean {
  if (SNAKE_OIL.has(path) || MANUALS.test(path)) return true;
  if (isBinary && PACKAGE_PROGRAM.test(path)) return SAMPLE_KINDS.has(kind) || PUBLISHED_KINDS.has(kind);
  if (PUBLISHED_KINDS.has(kind)) return isPublishedIn(path);
  const inside = PACKAGE_FOLDER.exec(path);
  if (!inside || !SAMPLE_KINDS.has(kind)) return false;
  const rest = path.slice(inside.index + inside[0].length - 1);
  return isBinary || TEST_FOLDER.test(rest) || TEST_FILE.test(rest);
}

function isPublishedIn(path: string): boolean {
  return (PACKAGE_FOLDER.test(path) && !APPLICATION_SETTINGS.test(path)) || path.startsWith('/etc/chromium');
}
