import type { BuiltBlob } from '../../support/image.ts';
import type { Session } from './session.ts';
import {
  acceptHeader,
  beginUpload,
  challengeOf,
  continueUpload,
  type Dialect,
  expectBlocked,
  getContent,
  getManifest,
  getOwnManifest,
  hasBlob,
  mountBlob,
  putManifest,
  tokenByPost,
} from './wire.ts';

async function passwordToken(session: Session, service: string, scope: string): Promise<string> {
  const { user, password } = session;
  const form = { grant_type: 'password', client_id: 'containerd-client', username: user, password };
  return (await tokenByPost(session, { ...form, service, scope })).bearer;
}

/** Asks without a credential and gets a token for what the challenge says. */
async function tokenOfChallenge(session: Session, method: string, path: string): Promise<string> {
  const ask = { headers: { accept: acceptHeader() }, expects: [401] };
  const challenge = challengeOf(await session.ask(method, path, ask));
  return passwordToken(session, challenge.get('service') ?? '', challenge.get('scope') ?? '');
}

/**
 * containerd 1.6: no ping, connections stay, the first request of the resolver and of the fetcher is anonymous and each
 * gets a token of its own by POST; the same repository twice in one scope.
 */
export const CONTAINERD: Dialect = {
  name: 'containerd',
  keepsConnections: true,
  async pull(session, { repository, tag, item, isBlocked }) {
    const byTag = `/v2/${repository}/manifests/${tag}`;
    const byDigest = `/v2/${repository}/manifests/${item.digest}`;
    const resolver = await tokenOfChallenge(session, 'HEAD', byTag);
    if (isBlocked) return expectBlocked(session, byTag, resolver);
    const head = await session.ask('HEAD', byTag, {
      authorization: resolver,
      headers: { accept: acceptHeader() },
      expects: [200],
    });
    if (head.headers['docker-content-digest'] !== item.digest) throw new Error('HEAD names another digest');
    const authorization = await tokenOfChallenge(session, 'GET', byDigest);
    await getManifest(session, byDigest, { authorization, wanted: item.manifest });
    const image = await getOwnManifest(session, repository, item, authorization);
    await getContent(session, repository, image, { authorization, brokenLayer: 0 });
  },
  async push(session, fresh) {
    const { repository, image, mountFrom, tag } = fresh;
    const blobs = [image.config, ...image.layers];
    const challenges = await Promise.all(
      blobs.map(async ({ digest }) => {
        const path = `/v2/${repository}/blobs/${digest}`;
        return challengeOf(await session.ask('HEAD', path, { expects: [401] }));
      }),
    );
    const service = challenges[0]?.get('service') ?? '';
    const scope = `repository:${repository}:pull repository:${repository}:pull,push repository:${mountFrom}:pull`;
    const authorization = await passwordToken(session, service, scope);
    const upload = async (blob: BuiltBlob, mayBeMounted: boolean): Promise<void> => {
      if (await hasBlob(session, repository, blob, authorization)) return;
      if (mayBeMounted && (await mountBlob(session, fresh, blob, authorization))) return;
      const location = await beginUpload(session, repository, authorization);
      await continueUpload(session, 'PUT', location, {
        authorization,
        body: blob.bytes,
        digest: blob.digest,
      });
    };
    await Promise.all(blobs.map((blob) => upload(blob, blob === image.layers[0])));
    const ask = { authorization, headers: { accept: acceptHeader() }, expects: [200, 404] };
    await session.ask('HEAD', `/v2/${repository}/manifests/${tag}`, ask);
    await putManifest(session, fresh, authorization);
  },
};
