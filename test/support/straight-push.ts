import type { BuiltImage, BuiltIndex } from './image.ts';

/** Pushes to a registry itself, past dockgate: what was there before, or what somebody does behind its back. */
export interface StraightPusher {
  /** Blobs, then manifests, children first. */
  push(repository: string, pushed: BuiltImage | BuiltIndex, reference?: string): Promise<void>;
  manifest(repository: string, reference: string, bytes: Uint8Array, mediaType: string): Promise<void>;
}

/** @param url `http://127.0.0.1:PORT` of a registry that asks for no credential. */
export function createStraightPusher(url: string): StraightPusher {
  const blob = async (repository: string, bytes: Uint8Array<ArrayBuffer>, digest: string) => {
    const started = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    const place = new URL(started.headers.get('location') ?? '', url);
    place.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await fetch(place, { method: 'PUT', headers, body: bytes });
    if (answer.status !== 201) throw new Error(`blob not pushed: ${answer.status} ${await answer.text()}`);
  };
  const manifest: StraightPusher['manifest'] = async (repository, reference, bytes, mediaType) => {
    const answer = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: new Uint8Array(bytes),
    });
    if (answer.status !== 201)
      throw new Error(`manifest not pushed: ${answer.status} ${await answer.text()}`);
  };
  const push: StraightPusher['push'] = async (repository, pushed, reference) => {
    if ('children' in pushed) {
      for (const child of pushed.children) await push(repository, child);
    } else {
      for (const { bytes, digest } of [pushed.config, ...pushed.layers]) {
        await blob(repository, new Uint8Array(bytes), digest);
      }
    }
    await manifest(repository, reference ?? pushed.digest, pushed.manifest, pushed.mediaType);
  };
  return { push, manifest };
}
