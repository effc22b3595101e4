import type { Finding, Severity } from '../../policy/index.ts';
import { INSPECTOR } from './name.ts';

/** What a layer's archive says of one file. */
export interface EntryFacts {
  /** Absolute, without `.` and `..`. */
  readonly path: string;
  readonly type: string;
  /** Permission bits. */
  readonly mode: number;
}

/** The setuid and setgid files of ordinary distributions; every other one deserves a question. */
const USUAL_SETUID =
  /^\/(?:usr\/)?s?bin\/(?:chage|chfn|chsh|crontab|expiry|fusermount3?|gpasswd|mount|newgrp|newuidmap|newgidmap|passwd|pkexec|su|sudo|sudoedit|ssh-agent|umount|unix_chkpwd|wall|write|bsd-write|bbsuid|locate|mlocate|plocate|dotlockfile|ping6?|traceroute6?|at|mail-lock|mail-unlock|mail-touchlock|exim4|pam_timestamp_check|userhelper|usernetctl|chrome-sandbox|screen|staprun|doas)$|^\/usr\/lib(?:64|exec)?\/(?:[\w.-]+\/)*(?:ssh-keysign|dbus-daemon-launch-helper|polkit-agent-helper-1|pt_chown|utempter|utempter\/utempter|Xorg\.wrap|camel-lock-helper-1\.2)$/;

const SEARCHED_FOLDER = /^\/(?:usr\/(?:local\/)?)?s?bin\/|^\/(?:usr\/)?lib(?:32|64)?\/|^\/etc\//;

const SETUID = 0o6000;
const STICKY = 0o1000;
const WRITABLE_BY_ALL = 0o002;
const NAMED_MAX = 5;

interface Group {
  readonly id: string;
  readonly severity: Severity;
  readonly advice: string;
}

const GROUPS = {
  usualSetuid: {
    id: 'cis-4.8',
    severity: 'low',
    advice:
      'setuid or setgid files as distributions have them: remove the bits (chmod a-s) if nobody needs them',
  },
  unusualSetuid: {
    id: 'cis-4.8-unusual',
    severity: 'medium',
    advice: 'setuid or setgid files that no distribution has: remove the bits (chmod a-s)',
  },
  writableProgram: {
    id: 'world-writable-program',
    severity: 'medium',
    advice: 'programs, libraries or settings that every user may change: take the right away (chmod o-w)',
  },
  writable: {
    id: 'world-writable-file',
    severity: 'low',
    advice:
      'files or folders that every user may change: take the right away (chmod o-w) or set the sticky bit',
  },
  device: {
    id: 'device-file',
    severity: 'medium',
    advice: 'device files: leave devices to the container runtime',
  },
  escape: {
    id: 'path-outside-layer',
    severity: 'high',
    advice: 'names that lead out of the layer: build the image with an ordinary tool',
  },
  sshServer: {
    id: 'ssh-server-installed',
    severity: 'medium',
    advice: 'an SSH server is installed: do without it, use exec instead',
  },
  authorizedKeys: {
    id: 'authorized-keys',
    severity: 'medium',
    advice: 'whoever has the key may sign in to every copy: hand the file in at run time',
  },
  sudo: { id: 'sudo-installed', severity: 'low', advice: 'sudo is installed: set USER and do without it' },
} as const satisfies Readonly<Record<string, Group>>;

type GroupName = keyof typeof GROUPS;

/** Looks at what a layer's entries are, not at what is in them. One finding a group, naming the first files. */
export class LayerAudit {
  readonly #files = new Map<GroupName, { readonly first: string[]; count: number }>();

  /** @param isOutside the name in the archive led out of it by `..`. */
  look(entry: EntryFacts, isOutside: boolean): void {
    if (isOutside) this.#note('escape', entry.path);
    if (entry.type === 'character-device' || entry.type === 'block-device') this.#noteDevice(entry.path);
    const isFile = entry.type === 'file' || entry.type === 'contiguous-file';
    if (isFile) this.#lookAtFile(entry);
    if (entry.type === 'directory' && (entry.mode & WRITABLE_BY_ALL) !== 0 && (entry.mode & STICKY) === 0) {
      this.#note('writable', entry.path);
    }
  }

  findings(): readonly Finding[] {
    return [...this.#files].map(([name, { first, count }]) => {
      const { id, severity, advice } = GROUPS[name];
      const files = `${first.join(', ')}${count > first.length ? `, +${count - first.length} more` : ''}`;
      return {
        kind: 'misconfiguration',
        id,
        severity,
        title: `${advice} (${files})`,
        by: INSPECTOR,
        location: first[0] ?? '',
      };
    });
  }

  #lookAtFile({ path, mode }: EntryFacts): void {
    if ((mode & SETUID) !== 0) this.#note(USUAL_SETUID.test(path) ? 'usualSetuid' : 'unusualSetuid', path);
    if ((mode & WRITABLE_BY_ALL) !== 0) {
      this.#note(SEARCHED_FOLDER.test(path) ? 'writableProgram' : 'writable', path);
    }
    if (/^\/usr\/(?:local\/)?bin\/sudo$/.test(path)) this.#note('sudo', path);
    if (/^\/usr\/(?:local\/)?s?bin\/(?:sshd|dropbear)$/.test(path)) this.#note('sshServer', path);
    if (/^\/(?:root|home\/[^/]+)\/\.ssh\/authorized_keys2?$/.test(path)) this.#note('authorizedKeys', path);
  }

  #noteDevice(path: string): void {
    // overlayfs and some builders mark a deleted file by a device 0/0 of its name; /dev is the base's own.
    if (!path.startsWith('/dev/')) this.#note('device', path);
  }

  #note(name: GroupName, path: string): void {
    const group = this.#files.get(name) ?? { first: [], count: 0 };
    group.count += 1;
    if (group.first.length < NAMED_MAX) group.first.push(path);
    this.#files.set(name, group);
  }
}

/** The names that stand for user id 0. @see passwd(5) */
export function superuserNames(passwd: string): readonly string[] {
  return passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 3 && /^0+$/.test(fields[2] ?? ''))
    .map((fields) => fields[0] ?? '');
}

/** Accounts that need no password, and root with a password that every copy of the image shares. @see shadow(5) */
export function auditShadow(shadow: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const line of shadow.split('\n')) {
    const [name = '', hash] = line.split(':');
    if (name === '' || hash === undefined) continue;
    if (hash === '') findings.push(shadowFinding('empty-password', 'high', `${name} needs no password`));
    else if (hash.startsWith('$')) {
      findings.push(
        shadowFinding('password-in-image', 'medium', `${name} has a password, the same in every copy`),
      );
    }
  }
  return findings;
}

function shadowFinding(id: string, severity: Severity, problem: string): Finding {
  return {
    kind: 'misconfiguration',
    id,
    severity,
    title: `${problem}: lock the account (passwd -l)`,
    by: INSPECTOR,
    location: '/etc/shadow',
  };
}
