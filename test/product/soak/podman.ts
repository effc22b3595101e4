import type { BuiltBlob } from '../../support/image.ts';
import {
  beginUpload,
  continueUpload,
  type Dialect,
  expectBlocked,
  getBlob,
  getManifest,
  getOwnManifest,
  hasBlob,
  mountBlob,
  ping,
  putManifest,
  tokenByGet,
} from './wire.ts';

/** Identical token requests of a push whose layers begin beside each other. */
const TOKENS_AT_ONCE = 6;

/**
 * podman 4.3 and skopeo: a new connection for each request, never HEAD for a manifest, the config before the layers,
 * one PATCH with its length, and at the start of a push the same token several times at once.
 */
export const PODMAN: Dialect = {
  name: 'podman',
  keepsConnections: false,
  async pull(session, { repository, tag, item, isBlocked }) {
    const service = await ping(session);
    const query = { account: session.user, service };
    const authorization = await tokenByGet(session, query, [`repository:${repository}:pull`]);
    const byTag = `/v2/${repository}/manifests/${tag}`;
    if (isBlocked) return expectBlocked(session, byTag, authorization);
    await getManifest(session, byTag, { authorization, wanted: item.manifest });
    const image = await getOwnManifest(session, repository, item, authorization);
    await getBlob(session, repository, image.config, authorization);
    await Promise.all(image.layers.map((layer) => getBlob(session, repository, layer, authorization)));
  },
  async push(session, fresh) {
    const { repository, image, mountFrom } = fresh;
    const service = await ping(session);
    const query = { account: session.user, service };
    const scopes = [`repository:${repository}:pull,push`, `repository:${mountFrom}:pull`];
    const tokens = await Promise.all(
      Array.from({ length: TOKENS_AT_ONCE }, () => tokenByGet(session, query, scopes)),
    );
    const upload = async (blob: BuiltBlob, at: number): Promise<void> => {
      const authorization = tokens[at % TOKENS_AT_ONCE] ?? '';
      if (await hasBlob(session, repository, blob, authorization)) return;
      if (at === 0 && (await mountBlob(session, fresh, blob, authorization))) return;
      if (await hasBlob(session, repository, blob, authorization)) return;
      const begun = await beginUpload(session, repository, authorization);
      const headers = { 'content-type': 'application/octet-stream' };
      const sent = { authorization, headers, body: blob.bytes };
      const location = await continueUpload(session, 'PATCH', begun, sent);
      await continueUpload(session, 'PUT', location, { authorization, digest: blob.digest });
    };
    await Promise.all(image.layers.map(upload));
    await upload(image.config, image.layers.length);
    await putManifest(session, fresh, tokens[0] ?? '');
  },
};
