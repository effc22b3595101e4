import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeHome } from '../../clients/container-client.ts';
import type { Dockgate } from '../../support/dockgate.ts';
import { type BuiltImage, buildIndex, digestOf } from '../../support/image.ts';
import { createPusher } from '../../support/pusher.ts';
import { type Ran, run } from '../../support/run.ts';
import { type Fault, soundImage } from './fault.ts';

export const PASSWORD = 'correct-horse-battery-9';
const PUSHER = `alice:${PASSWORD}`;
const READER = `bob:${PASSWORD}`;

/** Strict below `bad/`, a mere warning below `lax/`. */
export const policiesFor = (scanners: readonly string[]) => `policies:
  - name: default
    match: ["**", "!lax/**"]
    rules:
      scanned: { by: [${scanners.join(', ')}], within: 7d }
      age: { max: 180d }
      secrets: block
      malware: block
      misconfiguration: { block: low }
      mediaTypes: { deny: ['*.foreign.*'] }
  - name: lax
    match: ["lax/**"]
    mode: warn
    rules: { scanned: { by: [${scanners.join(', ')}], within: 7d }, secrets: block }
`;

/** Of manifests, as old and new clients ask for them. */
const ACCEPTS: readonly string[] = [
  '*/*',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json',
];

/** Pushes one faulty image and asks for it on every path that there is. */
export interface FaultPlace {
  readonly repository: string;
  readonly image: BuiltImage;
  push(): Promise<void>;
  /** Tag, digest, blobs, index child, nested index, GET and HEAD, every Accept, a mount, another repository. */
  assertRefused(): Promise<void>;
  assertServedOnceMended(): Promise<void>;
  assertServedOnceWaived(): Promise<void>;
}

export async function placeOf(server: Dockgate, fault: Fault, name: string): Promise<FaultPlace> {
  const pusher = createPusher(server, PUSHER);
  const repository = `bad/${name}`;
  const image = await fault.faulty();
  const held = [image.config, ...image.layers];
  const refusal = new RegExp(`dockgate: blocked ${repository}@sha256:\\w{12} by rule ${fault.rule} .*`);

  const ask = (path: string, method = 'GET', headers: Readonly<Record<string, string>> = {}) =>
    server.request(`/v2/${path}`, { method, headers, basic: READER });
  const assertBlocked = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await ask(path, 'GET', headers);
    assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}: ${answer.text}`);
    assert.match(answer.text, refusal, path);
    assert.match(answer.text, fault.says, path);
  };
  const statusOf = async (path: string, method = 'GET') => (await ask(path, method)).status;
  const putManifest = async (to: string, bytes: Uint8Array, type: string) => {
    const answer = await server.request(`/v2/${repository}/manifests/${to}`, {
      ...{ method: 'PUT', basic: PUSHER, body: bytes },
      headers: { 'content-type': type },
    });
    assert.equal(answer.status, 201, answer.text);
  };

  async function pushTo(where: string, tag: string): Promise<void> {
    for (const { bytes, digest } of held) await pusher.blob(where, bytes, digest);
    const answer = await server.request(`/v2/${where}/manifests/${tag}`, {
      ...{ method: 'PUT', basic: PUSHER, body: image.manifest },
      headers: { 'content-type': image.mediaType },
    });
    assert.equal(answer.status, 201, answer.text);
  }

  /** An index that names an index that names the image alone: refused; with a sound image beside it, served. */
  async function assertRefusedInIndexes(): Promise<void> {
    const alone = buildIndex([image]);
    await putManifest('alone', alone.manifest, alone.mediaType);
    const outer = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: alone.mediaType,
        manifests: [{ mediaType: alone.mediaType, digest: alone.digest, size: alone.manifest.length }],
      }),
    );
    await putManifest('nested', outer, alone.mediaType);
    for (const reference of ['alone', alone.digest, 'nested', digestOf(outer)]) {
      assert.equal(await statusOf(`${repository}/manifests/${reference}`), 403, reference);
      assert.equal(await statusOf(`${repository}/manifests/${reference}`, 'HEAD'), 403, reference);
    }
    const good = await soundImage(`${name} beside`);
    await pusher.push(repository, good);
    const both = buildIndex([image, good]);
    await putManifest('both', both.manifest, both.mediaType);
    assert.equal(await statusOf(`${repository}/manifests/both`), 200);
    assert.equal(await statusOf(`${repository}/manifests/${good.digest}`), 200);
    await assertBlocked(`${repository}/manifests/${image.digest}`);
  }

  async function assertNoBlobs(): Promise<void> {
    for (const { digest } of held) {
      await assertBlocked(`${repository}/blobs/${digest}`);
      await assertBlocked(`${repository}/blobs/${digest}`, { range: 'bytes=0-0' });
      assert.equal(await statusOf(`${repository}/blobs/${digest}`, 'HEAD'), 404);
      const mount = `/v2/bad/elsewhere/blobs/uploads/?mount=${digest}&from=${repository}`;
      assert.equal((await server.request(mount, { method: 'POST', basic: PUSHER })).status, 202);
      assert.equal(await statusOf(`bad/elsewhere/blobs/${digest}`), 404);
    }
  }

  /** The same digest is served where policies only warn; that opens it nowhere else. */
  async function assertOtherPolicy(): Promise<void> {
    await pushTo(`lax/${name}`, '1');
    const answer = await ask(`lax/${name}/manifests/1`);
    assert.equal(answer.status, 200, answer.text);
    await assertBlocked(`${repository}/manifests/1`);
    for (const { digest } of held) await assertBlocked(`${repository}/blobs/${digest}`);
  }

  async function assertServed(served: BuiltImage, digests: readonly string[]): Promise<void> {
    for (const path of [
      `manifests/1`,
      `manifests/${served.digest}`,
      ...digests.map((one) => `blobs/${one}`),
    ]) {
      for (const method of ['GET', 'HEAD'])
        assert.equal(await statusOf(`${repository}/${path}`, method), 200, path);
    }
  }

  return {
    repository,
    image,
    push: () => pushTo(repository, '1'),
    async assertRefused() {
      for (const reference of ['1', image.digest]) {
        const path = `${repository}/manifests/${reference}`;
        await assertBlocked(path);
        for (const accept of ACCEPTS) await assertBlocked(path, { accept });
        assert.equal(await statusOf(path, 'HEAD'), 403);
      }
      await assertNoBlobs();
      await assertRefusedInIndexes();
      await assertOtherPolicy();
    },
    async assertServedOnceMended() {
      const mended = await fault.mended();
      await pusher.push(repository, mended, '1');
      await assertServed(
        mended,
        [mended.config, ...mended.layers].map(({ digest }) => digest),
      );
      await assertBlocked(`${repository}/manifests/${image.digest}`);
    },
    async assertServedOnceWaived() {
      await pushTo(repository, '1');
      await assertBlocked(`${repository}/manifests/1`);
      const until = new Date(Date.now() + 3_600_000).toISOString();
      const given = ['--on', repository, '--reason', 'a test', '--until', until];
      await server.run(['waiver', 'add', ...(fault.waiver ?? []), ...given]);
      await assertServed(
        image,
        held.map(({ digest }) => digest),
      );
    },
  };
}

/** skopeo and podman with homes of their own, signed in by a file. */
export function clientsOf(server: Dockgate) {
  const home = makeHome(server);
  const auths = { [server.host]: { auth: Buffer.from(READER).toString('base64') } };
  writeFileSync(join(home.directory, 'auth.json'), JSON.stringify({ auths }));
  let copied = 0;
  return {
    skopeo(image: string): Promise<Ran> {
      copied += 1;
      const from = ['--src-cert-dir', home.certs, `docker://${server.host}/${image}`];
      return run('skopeo', ['copy', ...from, `dir:${home.directory}/copy-${copied}`], {
        environment: home.environment,
      });
    },
    async podman(image: string): Promise<Ran> {
      const { directory, environment } = home;
      const storage = [
        ...['--root', `${directory}/root`, '--runroot', `${directory}/run`, '--storage-driver=vfs'],
        ...['--cgroup-manager=cgroupfs', '--events-backend=file'],
      ];
      await run('podman', [...storage, 'rmi', '-af'], { environment });
      const pull = ['pull', '--cert-dir', home.certs, `${server.host}/${image}`];
      return run('podman', [...storage, ...pull], { environment });
    },
    remove: home.remove,
  };
}

/** The client failed and printed the sentence that names image, rule and finding. */
export function assertClientRefused(ran: Ran, repository: string, fault: Fault): void {
  assert.notEqual(ran.code, 0, ran.output);
  const text = ran.output.replace(/\\"/g, '"');
  assert.match(text, new RegExp(`dockgate: blocked ${repository}@sha256:\\w{12} by rule ${fault.rule} `));
  assert.match(text, fault.says);
}
