import assert from 'node:assert/strict';
import { takeManifest } from '../../src/content/index.ts';
import { buildImage } from '../support/image.ts';

describe('a manifest that is let in', () => {
  it('V-17: may embed what its digests name, and nothing else', async () => {
    const { manifest, mediaType, config } = await buildImage();
    const embedding = (bytes: Uint8Array) => {
      const members = JSON.parse(Buffer.from(manifest).toString());
      members.config.data = Buffer.from(bytes).toString('base64');
      return takeManifest(Buffer.from(JSON.stringify(members)), mediaType);
    };
    assert.ok(takeManifest(manifest, mediaType).ok);
    assert.ok(embedding(config.bytes).ok);
    const other = Uint8Array.from(config.bytes, (byte, at) => (at === 5 ? byte ^ 1 : byte));
    const refused = embedding(other);
    assert.ok(!refused.ok);
    assert.match(refused.problem, new RegExp(`embedded as data is not what ${config.digest} names`));
  });

  it('is refused for what is wrong with it otherwise', () => {
    assert.equal(takeManifest(Buffer.from('{'), undefined).ok, false);
  });
});
