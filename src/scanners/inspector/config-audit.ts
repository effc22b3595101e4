import type { Finding, Severity } from '../../policy/index.ts';
import type { ImageConfig } from './image-config.ts';
import { INSPECTOR } from './name.ts';

/**
 * Judges how an image is configured.
 *
 * @param superusers names that the image's `/etc/passwd` gives user id 0.
 * @see CIS Docker Benchmark 1.6, chapter 4 (container images and build files), 5.5, 5.7 and 5.31
 */
export function auditConfig(config: ImageConfig, superusers: readonly string[]): readonly Finding[] {
  return [
    ...auditUser(config.user, superusers),
    ...auditHealthcheck(config.healthcheck),
    ...auditHistory(config.history),
    ...auditTrust(config.history, config.env),
    ...auditPorts(config.exposedPorts),
    ...auditVolumes(config.volumes),
    ...auditAccounts(superusers),
    ...auditBase(config.labels),
  ];
}

function auditUser(user: string, superusers: readonly string[]): readonly Finding[] {
  const name = (user.split(':', 1)[0] ?? '').trim();
  if (!isSuperuser(name, superusers)) return [];
  const stated = user === '' ? 'no USER is stated' : `USER is ${user}`;
  return [
    finding('cis-4.1', 'high', `runs as root (${stated}): create a user and end the Dockerfile with USER`),
  ];
}

/** Docker reads the user by Go's Atoi, which takes `00`, `+0` and `-0` for 0. */
function isSuperuser(name: string, superusers: readonly string[]): boolean {
  return name === '' || name === 'root' || /^[+-]?0+$/.test(name) || superusers.includes(name);
}

function auditHealthcheck(test: readonly string[] | undefined): readonly Finding[] {
  if (test && test.length > 0 && test[0]?.toUpperCase() !== 'NONE') return [];
  return [finding('cis-4.6', 'low', 'no HEALTHCHECK: add one, so that a hung container is noticed')];
}

function auditHistory(history: readonly string[]): readonly Finding[] {
  const found: Finding[] = [];
  const added = history.map(argumentsOfAdd);
  if (added.some((words) => words.some(isRemote))) {
    found.push(
      finding(
        'cis-4.9-remote',
        'medium',
        'ADD fetches from the network: fetch by RUN and check a sum, or COPY',
      ),
    );
  }
  if (added.some((words) => !words.some(isRemote) && addsBesideRoot(words))) {
    found.push(finding('cis-4.9', 'low', 'ADD unpacks archives unasked: use COPY'));
  }
  if (history.some(updatesOnly)) {
    found.push(
      finding('cis-4.7', 'low', 'a RUN only updates the package lists: put update and install into one RUN'),
    );
  }
  return found;
}

/** What stands behind ADD in a step, by the classic builder or by BuildKit; empty for every other step. */
function argumentsOfAdd(step: string): readonly string[] {
  const words = step
    .replace(/^\s*\/bin\/sh -c #\(nop\)/, '')
    .replace(/#\s*buildkit\s*$/, '')
    .trim()
    .split(/\s+/);
  return words[0]?.toUpperCase() === 'ADD' ? words.slice(1) : [];
}

function isRemote(word: string): boolean {
  return /^(?:(?:https?|ftp|git|ssh):\/\/|git@)/i.test(word);
}

/** A base image begins by unpacking its root file system with ADD, which is what ADD is for. */
function addsBesideRoot(words: readonly string[]): boolean {
  return words.length > 0 && words.at(-1) !== '/';
}

function updatesOnly(step: string): boolean {
  const updates = /\b(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*update\b|\bapk\s+(?:-\S+\s+)*update\b/.test(step);
  return updates && !/\b(?:install|upgrade|dist-upgrade|full-upgrade|build-dep|add)\b/.test(step);
}

const UNVERIFIED_PACKAGES =
  /\s(?:--allow-unauthenticated|--allow-untrusted|--force-yes|--nogpgcheck|--no-gpg-checks?|--trusted-host)\b|\[[^\]]*\btrusted=yes\b/;
const DOWNLOADED_SCRIPT =
  /\b(?:curl|wget)\b[^\n|;&]{0,1000}\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:\/\S+\/)?(?:sh|bash|ash|dash|zsh|python3?|perl|node)\b/;
const UNVERIFIED_TLS_STEP =
  /\bcurl\s(?:[^\n|;&]{0,1000}\s)?(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)(?:\s|$)|\s--no-check-certificate\b|\bhttp\.sslVerify[= ]false\b|\bstrict-ssl[= ]false\b/;
const UNVERIFIED_TLS_SETTING =
  /^(?:\w*_REJECT_UNAUTHORIZED=0|GIT_SSL_NO_VERIFY=(?:1|true)|PYTHONHTTPSVERIFY=0|NPM_CONFIG_STRICT_SSL=false)$/i;

/** What is fetched without anybody having to be who he says. @see CIS Docker Benchmark 1.6, 4.11 */
function auditTrust(history: readonly string[], env: readonly string[]): readonly Finding[] {
  const found: Finding[] = [];
  if (history.some((step) => UNVERIFIED_PACKAGES.test(step))) {
    found.push(
      finding('cis-4.11', 'medium', 'packages are installed unverified: take the option away, add the key'),
    );
  }
  if (history.some((step) => DOWNLOADED_SCRIPT.test(step))) {
    found.push(
      finding(
        'pipe-to-shell',
        'low',
        'a downloaded script is run unseen: save it, check its sum, run it then',
      ),
    );
  }
  if (
    history.some((step) => UNVERIFIED_TLS_STEP.test(step)) ||
    env.some((entry) => UNVERIFIED_TLS_SETTING.test(entry.trim()))
  ) {
    found.push(
      finding('tls-not-verified', 'medium', 'certificates are not verified: add the authority instead'),
    );
  }
  return found;
}

/** A volume is where people mount the folder of the same name. @see CIS Docker Benchmark 1.6, 5.5 and 5.31 */
function auditVolumes(volumes: readonly string[]): readonly Finding[] {
  const paths = volumes.map((volume) => volume.trim().replace(/(?<=.)\/+$/, ''));
  const found: Finding[] = [];
  if (paths.some((path) => /(?:^|\/)(?:docker|containerd|crio|podman)\.sock$/.test(path))) {
    found.push(
      finding('cis-5.31', 'high', 'asks for the socket of the container runtime, which is the whole host'),
    );
  }
  if (paths.some((path) => /^\/(?:boot|dev|etc|lib|proc|sys|usr)?$/.test(path))) {
    found.push(
      finding('cis-5.5', 'medium', 'has a volume over a folder of the system: mount what is needed'),
    );
  }
  return found;
}

/** Other names for user id 0 are found by nobody who looks for root. */
function auditAccounts(superusers: readonly string[]): readonly Finding[] {
  const others = superusers.filter((name) => name !== 'root');
  if (others.length === 0) return [];
  const names = others.slice(0, 3).join(', ');
  return [
    finding('superuser-account', 'medium', `accounts beside root have user id 0 (${names}): remove them`),
  ];
}

function auditPorts(ports: readonly string[]): readonly Finding[] {
  if (!ports.some((port) => /^0*22(?:\/|$)/.test(port.trim()))) return [];
  return [finding('cis-5.7', 'medium', 'port 22 is exposed: do without an SSH server, use exec instead')];
}

function auditBase(labels: Readonly<Record<string, string>>): readonly Finding[] {
  const base = labels['org.opencontainers.image.base.name'];
  if (base === undefined || !/(?::latest|\/[^/:@]+)$/.test(base)) return [];
  return [
    finding('base-image-latest', 'low', 'built on a tag that moves (latest): name a version or a digest'),
  ];
}

function finding(id: string, severity: Severity, title: string): Finding {
  return { kind: 'misconfiguration', id, severity, title, by: INSPECTOR, location: 'config' };
}
