/** Where clients look for what concerns registries. */
export const OF_DOCKER = '/etc/docker';
export const OF_CONTAINERS = '/etc/containers';
export const CONTAINERD_HOSTS = '/etc/containerd/certs.d';
export const K3S_REGISTRIES = '/etc/rancher/k3s/registries.yaml';

/** Nothing is routed there, so a connection fails at once (RFC 1112, class E). */
export const NOWHERE = '240.0.0.1';

/** Registries that clients reach without being told: whatever has no mirror among them is shut off. */
export const KNOWN_REGISTRIES: readonly string[] = [
  'docker.io',
  'gcr.io',
  'ghcr.io',
  'mcr.microsoft.com',
  'public.ecr.aws',
  'quay.io',
  'registry.access.redhat.com',
  'registry.fedoraproject.org',
  'registry.gitlab.com',
  'registry.k8s.io',
  'registry.redhat.io',
];

const DOCKER_HUB: readonly string[] = ['registry-1.docker.io', 'index.docker.io', 'auth.docker.io'];

/** The names that are looked up, the one that serves images first, when a client speaks of `docker.io` or another registry. */
export function namesOf(registry: string): readonly [string, ...string[]] {
  const [first = registry, ...more] = registry === 'docker.io' ? DOCKER_HUB : [];
  return [first, ...more];
}
