import type { Repository } from '../oci/index.ts';
import type { NodeConfig } from './node-config.ts';

/** Where what the repository holds comes from, as policies name it: host and port of its upstream, or `embedded`. */
export function registryOf(
  { upstreams }: Pick<NodeConfig, 'upstreams'>,
  repository: Repository,
): string | undefined {
  if (upstreams.length === 0) return 'embedded';
  const fitting = upstreams.filter(({ prefix }) => repository.startsWith(prefix));
  const [found] = fitting.toSorted((left, right) => right.prefix.length - left.prefix.length);
  return found && new URL(found.url).host;
}
