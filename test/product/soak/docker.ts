import type { Session } from './session.ts';
import {
  acceptHeader,
  beginUpload,
  continueUpload,
  type Dialect,
  expectBlocked,
  getContent,
  getManifest,
  getOwnManifest,
  hasBlob,
  mountBlob,
  ping,
  putManifest,
  tokenByGet,
  tokenByPost,
} from './wire.ts';

/**
 * dockerd 20.10: a new connection for each request, HEAD by tag then GET by digest, chunked PATCH, two resources in one
 * scope. After a sign-in with `offline_token` it keeps the refresh token in place of the password.
 */
export function createDocker(): Dialect {
  /** What `docker login` stored, by session. */
  const refreshTokens = new WeakMap<Session, string>();

  const signIn = async (session: Session, service: string): Promise<string | undefined> => {
    const stored = refreshTokens.get(session);
    // Every other docker signed in with a password that its helper keeps.
    if (stored !== undefined || session.number % 2 === 0) return stored;
    const query = new URLSearchParams({ account: session.user, client_id: 'docker', service });
    const answer = await session.ask('GET', `/token?${query}&offline_token=true`, {
      authorization: session.basic,
      expects: [200],
    });
    const { refresh_token: refreshToken } = JSON.parse(answer.body.toString());
    if (typeof refreshToken !== 'string') throw new Error('no refresh token for offline_token=true');
    refreshTokens.set(session, refreshToken);
    return refreshToken;
  };

  const tokenFor = async (session: Session, scope: string): Promise<string> => {
    const service = await ping(session);
    const refreshToken = await signIn(session, service);
    if (refreshToken === undefined) return tokenByGet(session, { account: session.user, service }, [scope]);
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: 'docker' };
    return (await tokenByPost(session, { ...form, service, scope })).bearer;
  };

  return {
    name: 'docker',
    keepsConnections: false,
    async pull(session, { repository, tag, item, isBlocked }) {
      const authorization = await tokenFor(session, `repository:${repository}:pull`);
      const manifests = `/v2/${repository}/manifests`;
      const head = await session.ask('HEAD', `${manifests}/${tag}`, {
        authorization,
        headers: { accept: acceptHeader() },
        expects: isBlocked ? [403] : [200],
      });
      // Whatever HEAD refuses it asks again by GET, whose body says why.
      if (isBlocked) return expectBlocked(session, `${manifests}/${tag}`, authorization);
      if (head.headers['docker-content-digest'] !== item.digest) throw new Error('HEAD names another digest');
      await getManifest(session, `${manifests}/${item.digest}`, { authorization, wanted: item.manifest });
      const image = await getOwnManifest(session, repository, item, authorization);
      await getContent(session, repository, image, { authorization, brokenLayer: 1 });
    },
    async push(session, fresh) {
      const { repository, image, mountFrom } = fresh;
      const scope = `repository:${repository}:push,pull repository:${mountFrom}:pull`;
      const authorization = await tokenFor(session, scope);
      const upload = async (blob: (typeof image)['config'], mayBeMounted: boolean): Promise<void> => {
        if (await hasBlob(session, repository, blob, authorization)) return;
        if (mayBeMounted && (await mountBlob(session, fresh, blob, authorization))) return;
        const begun = await beginUpload(session, repository, authorization);
        const sent = { authorization, body: blob.bytes, chunkBytes: 8192 };
        const location = await continueUpload(session, 'PATCH', begun, sent);
        await continueUpload(session, 'PUT', location, { authorization, digest: blob.digest });
        if (!(await hasBlob(session, repository, blob, authorization))) {
          throw new Error(`${repository} lacks ${blob.digest} after its upload`);
        }
      };
      await Promise.all(image.layers.map((layer, at) => upload(layer, at === 0)));
      await upload(image.config, false);
      await putManifest(session, fresh, authorization);
    },
  };
}
