import type { Dockgate } from './dockgate.ts';
import type { BuiltImage, BuiltIndex } from './image.ts';

/** Pushes as a client does: blobs, then manifests, children first. */
export interface Pusher {
  push(repository: string, pushed: BuiltImage | BuiltIndex, tag?: string): Promise<void>;
  blob(repository: string, bytes: Uint8Array, digest: string): Promise<void>;
}

/** @param basic `user:password`. */
export function createPusher(server: Pick<Dockgate, 'request'>, basic: string): Pusher {
  const pushManifest = async (
    repository: string,
    pushed: BuiltImage | BuiltIndex,
    reference: string,
  ): Promise<void> => {
    const answer = await server.request(`/v2/${repository}/manifests/${reference}`, {
      method: 'PUT',
      basic,
      headers: { 'content-type': pushed.mediaType },
      body: pushed.manifest,
    });
    if (answer.status !== 201) throw new Error(`manifest not pushed: ${answer.status} ${answer.text}`);
  };
  const blob: Pusher['blob'] = async (repository, bytes, digest) => {
    const answer = await server.request(`/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      method: 'POST',
      basic,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) },
      body: bytes,
    });
    if (answer.status !== 201) throw new Error(`blob not pushed: ${answer.status} ${answer.text}`);
  };
  const push: Pusher['push'] = async (repository, pushed, tag) => {
    if ('children' in pushed) {
      for (const child of pushed.children) await push(repository, child);
    } else {
      for (const { bytes, digest } of [pushed.config, ...pushed.layers])
        await blob(repository, bytes, digest);
    }
    await pushManifest(repository, pushed, tag ?? pushed.digest);
  };
  return { push, blob };
}
