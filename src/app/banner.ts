import type { FirstAdmin } from './first-admin.ts';

/** What a person needs next, printed when the server is ready. */
export function printBanner(facts: {
  readonly publicUrl: string;
  readonly caPath: string;
  readonly dataDirectory: string;
  readonly opsAddress: string;
  readonly registries: readonly string[];
  readonly firstAdmin: FirstAdmin | undefined;
}): string {
  const host = facts.publicUrl.replace(/^https:\/\//, '');
  const user = facts.firstAdmin?.name ?? 'USER';
  const lines = [
    '',
    `  dockgate in front of ${facts.registries.join(', ')}`,
    '',
    `  address      ${facts.publicUrl}`,
    `  ops          http://${facts.opsAddress}/metrics /healthz /readyz`,
    `  trust        ${facts.caPath}`,
    `  data         ${facts.dataDirectory}`,
  ];
  if (facts.firstAdmin) {
    lines.push(
      '',
      `  admin        ${facts.firstAdmin.name}`,
      `  password     ${facts.firstAdmin.password}   (shown this once)`,
    );
  }
  lines.push(
    '',
    `  docker       sudo install -D ${facts.caPath} /etc/docker/certs.d/${host}/ca.crt`,
    `               docker login -u ${user} ${host}`,
    `  podman       sudo install -D ${facts.caPath} /etc/containers/certs.d/${host}/ca.crt`,
    `               podman login -u ${user} ${host}`,
    '',
  );
  return lines.join('\n');
}
