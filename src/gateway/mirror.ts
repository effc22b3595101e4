import { type Refusal, refuse } from '../oci/index.ts';
import type { Route } from './route.ts';
import type { Sources } from './sources.ts';

export interface MirrorResult {
  readonly route: Route;
  /** The registry in whose place we answer, for OCI-Namespace. */
  readonly namespace?: string;
}

/**
 * Gives a call the repository that it means. A client that uses us as a mirror asks for the names of another registry:
 * containerd says which (`?ns=docker.io`), docker's `registry-mirrors` does not.
 *
 * @see containerd docs/hosts.md; OCI distribution-spec, "Registry Proxying".
 */
export function throughMirror(route: Route, sources: Pick<Sources, 'nameOf'>): MirrorResult | Refusal {
  if (!('repository' in route)) return { route };
  const { namespace } = route;
  const repository = sources.nameOf(route.repository, namespace);
  if (repository === undefined) {
    return refuse(
      'NAME_UNKNOWN',
      `dockgate: nothing here mirrors ${printHost(namespace)}; an admin can add it to upstreams[].mirrors`,
    );
  }
  return { route: { ...route, repository }, ...(namespace === undefined ? {} : { namespace }) };
}

/** Nothing of what a client wrote is repeated that could be more than a host. */
function printHost(host: string | undefined): string {
  return /^[a-z0-9.:-]{1,255}$/i.test(host ?? '') ? `${host}` : 'that registry';
}
