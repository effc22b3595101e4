import type { FirstAdmin } from './first-admin.ts';

export interface BannerFacts {
  readonly publicUrl: string;
  /** What clients must be told to trust; absent when the operator's own certificate is used and no CA was made. */
  readonly caPath: string | undefined;
  readonly dataDirectory: string;
  readonly opsAddress: string;
  readonly registries: readonly string[];
  readonly firstAdmin: FirstAdmin | undefined;
  /** Where the first admin's password is kept, while it is. */
  readonly passwordPath: string | undefined;
}

/** What a person needs next, printed when the server is ready. */
export function printBanner(facts: BannerFacts): string {
  const lines = [
    '',
    `  dockgate in front of ${facts.registries.join(', ')}`,
    '',
    `  address      ${facts.publicUrl}`,
    `  ops          http://${facts.opsAddress}/metrics /healthz /readyz`,
    `  trust        ${facts.caPath ?? 'the CA of your own certificate'}`,
    `  data         ${facts.dataDirectory}`,
    ...adminLines(facts),
    '',
    ...signInLines(facts),
    '',
  ];
  return lines.join('\n');
}

function adminLines({ firstAdmin, passwordPath }: BannerFacts): readonly string[] {
  if (firstAdmin) {
    return [
      '',
      `  admin        ${firstAdmin.name}`,
      `  password     ${firstAdmin.password}`,
      ...(passwordPath ? [`               (shown this once; in ${passwordPath} until you change it)`] : []),
    ];
  }
  return passwordPath
    ? ['', `  password     of the first admin: in ${passwordPath} until you change it`]
    : [];
}

/** Docker and containers/image each look for CAs in a folder of their own. */
function signInLines({ publicUrl, caPath, firstAdmin }: BannerFacts): readonly string[] {
  const host = publicUrl.replace(/^https:\/\//, '');
  const user = firstAdmin?.name ?? 'USER';
  const trust = (folder: string): readonly string[] =>
    caPath === undefined ? [] : [`sudo install -D ${caPath} /etc/${folder}/certs.d/${host}/ca.crt`];
  const docker = [...trust('docker'), `docker login -u ${user} ${host}`];
  const podman = [...trust('containers'), `podman login -u ${user} ${host}`];
  return [...titled('docker', docker), ...titled('podman', podman)];
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.map((line, index) => `  ${(index === 0 ? title : '').padEnd(12)} ${line}`);
}
