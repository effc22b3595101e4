import { KNOWN_REGISTRIES } from './places.ts';
import { type Plan, quoted, type SetupRequest, whole } from './plan.ts';

/** The last of the folder: later files win. */
const REGISTRIES_PATH = '/etc/containers/registries.conf.d/zz-dockgate.conf';

/**
 * podman, buildah, skopeo, CRI-O and LXC read the same files. `location` replaces a registry; a `mirror` beside it
 * would be tried first and the origin after it, so there is none.
 *
 * @see containers-registries.conf(5)
 */
export function planContainers({ host, ca, mirrors }: SetupRequest): Plan {
  const mirrored = new Set(mirrors.map(({ registry }) => registry));
  const blocked = KNOWN_REGISTRIES.filter((registry) => !mirrored.has(registry));
  const text = [
    '# Written by dockgate client-setup.',
    `unqualified-search-registries = [${quoted(host)}]`,
    'short-name-mode = "enforcing"',
    ...mirrors.flatMap(({ registry, prefix }) => [
      '',
      '[[registry]]',
      `prefix = ${quoted(registry)}`,
      `location = ${quoted(`${host}/${prefix}`)}`,
    ]),
    ...blocked.flatMap((registry) => [
      '',
      '[[registry]]',
      `prefix = ${quoted(registry)}`,
      `location = ${quoted(registry)}`,
      'blocked = true',
    ]),
    '',
  ];
  return {
    files: [whole(`/etc/containers/certs.d/${host}/ca.crt`, ca), whole(REGISTRIES_PATH, text.join('\n'))],
    notes: [
      'CRI-O reads it again with: systemctl reload crio',
      "a user's own ~/.config/containers/registries.conf takes the place of these: dockgate client-doctor finds them",
      'registries that are not in the list are closed in the firewall alone',
    ],
  };
}
