/** What clients need to go through the gateway and nowhere else. */
import { planContainerd, planK3s } from './containerd.ts';
import { planContainers } from './containers.ts';
import { planDocker } from './docker.ts';
import type { Plan, SetupRequest } from './plan.ts';

export const CLIENTS: Readonly<Record<string, (request: SetupRequest) => Plan>> = {
  docker: planDocker,
  podman: planContainers,
  containerd: planContainerd,
  'cri-o': planContainers,
  k3s: planK3s,
  skopeo: planContainers,
  lxc: planContainers,
};
