import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  buildahClient,
  type ContainerClient,
  podmanClient,
  skopeoClient,
} from '../../clients/container-client.ts';
import { craneClient, orasClient } from '../../clients/go-clients.ts';
import type { Dockgate } from '../../support/dockgate.ts';
import { goProgram } from '../../support/go-program.ts';
import type { Ran } from '../../support/run.ts';

const CLIENTS = [skopeoClient, skopeoClient, skopeoClient, podmanClient, podmanClient, buildahClient];
const GO_CLIENTS = [
  ['crane', craneClient],
  ['oras', orasClient],
] as const;

/** One program that pushes and pulls until its time is over. */
export interface RealClient {
  readonly name: string;
  /** @throws {Error} a run of the program failed, with what it printed. */
  turn(): Promise<void>;
  readonly done: { pushes: number; pulls: number };
  remove(): void;
}

export interface RealClientOptions {
  readonly server: Dockgate;
  readonly user: string;
  readonly password: string;
  /** An OCI layout, and the tags in it. */
  readonly layout: string;
  readonly tags: readonly string[];
  /** An image that all pull. */
  readonly shared: string;
}

/** Real programs, each signed in from a home of its own; those built from Go modules where they are there. */
export async function startRealClients(options: RealClientOptions): Promise<readonly RealClient[]> {
  const { server, user, password } = options;
  const fromGo = GO_CLIENTS.flatMap(([name, create]) => (existsSync(goProgram(name)) ? [create] : []));
  const clients = [...CLIENTS, ...fromGo].map((create) => create(server));
  for (const client of clients) check(client, 'login', await client.login(user, password));
  return clients.map((client, at) => realClient(client, at, options));
}

function realClient(client: ContainerClient, at: number, options: RealClientOptions): RealClient {
  const { layout, tags, shared } = options;
  const done = { pushes: 0, pulls: 0 };
  const repository = `team/${client.name}-${at}`;
  return {
    name: client.name,
    done,
    async turn() {
      const image = `${repository}:${done.pushes % 10}`;
      const pushed = await client.push(`${layout}:${tags[randomInt(tags.length)]}`, image);
      check(client, `push of ${image}`, pushed);
      done.pushes += 1;
      for (const wanted of [image, shared]) {
        check(client, `pull of ${wanted}`, await client.pull(wanted));
        done.pulls += 1;
      }
    },
    remove: () => client.remove(),
  };
}

function check(client: ContainerClient, what: string, { code, output }: Ran): void {
  if (code !== 0) throw new Error(`${client.name}: ${what} ended with ${code}: ${output}`);
}
