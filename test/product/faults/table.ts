import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { DAY_MS, KiB, MiB } from '../../../src/base/index.ts';
import { plantSecrets } from '../../scanners/inspector/planted.ts';
import { EICAR } from '../../support/clamd.ts';
import { buildTar, type ImageConfigOptions, type ImageEntry } from '../../support/image.ts';
import { type Fault, imageWith, soundImage } from './fault.ts';

/** One of each kind that the inspector knows, in the file where people leave it. */
export function secretFaults(): readonly Fault[] {
  return plantSecrets().map(({ id, path, data }, at) => {
    const name = `secret ${at} ${id}`;
    return {
      ...({ name, of: 'secret', rule: 'secrets', says: new RegExp(`[:,] ${id}\\b`) } as const),
      faulty: () => imageWith(name, { layers: [[{ path: path.slice(1), data }]] }),
      mended: () =>
        imageWith(name, { layers: [[{ path: path.slice(1), data: 'in no file\n' }]], state: 'mended' }),
      waiver: [id],
    };
  });
}

/** For clamd. */
export function malwareFaults(): readonly Fault[] {
  const fault = (name: string, layers: () => Promise<readonly (readonly ImageEntry[])[]>): Fault => ({
    ...({ name, of: 'malware', rule: 'malware', says: /Dockgate\.Test\.EICAR/ } as const),
    faulty: async () => imageWith(name, { layers: await layers() }),
    mended: () => soundImage(name),
  });
  return [
    fault('EICAR under a path that a later layer deletes', async () => [
      [{ path: 'opt/eicar.com', data: EICAR }],
      [{ path: 'opt/.wh.eicar.com' }],
    ]),
    fault('EICAR in an archive in an archive', async () => {
      const inner = gzipSync(await buildTar([{ path: 'deep/eicar.com', data: EICAR }]));
      return [
        [{ path: 'opt/kit.tar.gz', data: gzipSync(await buildTar([{ path: 'inner.tgz', data: inner }])) }],
      ];
    }),
  ];
}

/** One for each check, most of the CIS Docker Benchmark; each leads to that finding only. */
export function misconfigurationFaults(): readonly Fault[] {
  const passwd = 'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n';
  const inConfig: Readonly<Record<string, ImageConfigOptions>> = {
    'cis-4.1': { user: 'root' },
    'cis-4.6': { healthcheck: ['NONE'] },
    'cis-4.7': { history: ['RUN apt-get update', 'RUN apt-get install -y curl'] },
    'cis-4.9': { history: ['ADD app.tar.gz /opt # buildkit'] },
    'cis-4.9-remote': { history: ['ADD https://get.corp.net/x.tgz /opt/ # buildkit'] },
    'cis-4.11': { history: ['RUN apk add --allow-untrusted app.apk'] },
    'cis-5.5': { volumes: ['/etc'] },
    'cis-5.7': { exposedPorts: ['22/tcp'] },
    'cis-5.31': { volumes: ['/var/run/docker.sock'] },
    'base-image-latest': {
      labels: { 'org.opencontainers.image.base.name': 'docker.io/library/debian:latest' },
    },
    'pipe-to-shell': { history: ['RUN curl -fsSL https://get.corp.net/install | bash'] },
    'tls-not-verified': { history: ['RUN curl -kO https://get.corp.net/x'] },
  };
  const inLayer: Readonly<Record<string, ImageEntry>> = {
    'cis-4.8': { path: 'usr/bin/passwd', mode: 0o4755, data: 'x' },
    'cis-4.8-unusual': { path: 'usr/local/bin/helper', mode: 0o4755, data: 'x' },
    'world-writable-program': { path: 'etc/app.conf', mode: 0o666, data: 'x' },
    'world-writable-file': { path: 'srv/data', mode: 0o666, data: 'x' },
    'device-file': { path: 'srv/disk', type: 'block-device' },
    'path-outside-layer': { path: '../../etc/cron.d/x', data: 'x' },
    'sudo-installed': { path: 'usr/bin/sudo', mode: 0o755, data: 'x' },
    'ssh-server-installed': { path: 'usr/sbin/sshd', mode: 0o755, data: 'x' },
    'authorized-keys': { path: 'root/.ssh/authorized_keys', data: 'ssh-ed25519 AAAA' },
    'superuser-account': { path: 'etc/passwd', data: passwd },
    'empty-password': { path: 'etc/shadow', data: 'bob::19000:0:99999:7:::\n', mode: 0o640 },
    'password-in-image': { path: 'etc/shadow', data: 'bob:$6$x$y:19000::::::\n', mode: 0o640 },
  };
  const fault = (id: string, faulty: (name: string) => ReturnType<Fault['faulty']>): Fault => {
    const name = `check ${id}`;
    return {
      ...({ name, of: 'misconfiguration', rule: 'misconfiguration' } as const),
      says: new RegExp(`: ${id.replaceAll('.', '\\.')}(?:;|$)`),
      faulty: () => faulty(name),
      mended: () => soundImage(name),
      waiver: [id],
    };
  };
  return [
    ...Object.entries(inConfig).map(([id, config]) => fault(id, (name) => imageWith(name, { config }))),
    ...Object.entries(inLayer).map(([id, file]) =>
      fault(id, (name) => imageWith(name, { layers: [[file]] })),
    ),
  ];
}

export function otherFaults(): readonly Fault[] {
  const created = new Date(Date.now() - 200 * DAY_MS).toISOString();
  const zeros = gzipSync(Buffer.alloc(64 * MiB));
  const unscannable = (
    name: string,
    says: RegExp,
    bytes: () => Uint8Array | Promise<Uint8Array>,
    mediaType?: string,
  ): Fault => ({
    ...({ name, of: 'unscannable', rule: 'scanned', says, waiver: ['--rule', 'scanned'] } as const),
    faulty: async () =>
      imageWith(name, {
        layers: [{ bytes: await bytes(), ...(mediaType === undefined ? {} : { mediaType }) }],
      }),
    mended: () => soundImage(name),
  });
  return [
    {
      ...({ name: 'an old image', of: 'age', rule: 'age', says: /older than 180d/ } as const),
      faulty: () => imageWith('old', { config: { created } }),
      mended: () => soundImage('old'),
      waiver: ['--rule', 'age'],
    },
    unscannable('a broken gzip stream', /gzip stream is broken/, () => brokenGzip()),
    unscannable('a bomb', /as a bomb does/, () => Buffer.concat(Array.from({ length: 10 }, () => zeros))),
    unscannable(
      'a layer of an unknown type',
      /bzip2 or xz/,
      () => Buffer.from('fd377a585a000004e6d6b446', 'hex'),
      'application/vnd.acme.layer.v1.tar+xz',
    ),
    unscannable(
      'an encrypted layer',
      /encrypted/,
      () => Buffer.from('sealed'),
      `${OCI_LAYER}+gzip+encrypted`,
    ),
    {
      ...({ name: 'a foreign layer where none is allowed', of: 'foreign', rule: 'mediaTypes' } as const),
      says: /media type application\/vnd\.docker\.image\.rootfs\.foreign\.diff\.tar\.gzip is not allowed/,
      faulty: async () =>
        foreign(gzipSync(await buildTar([{ path: 'app/f', data: 'f' }])), FOREIGN_OF_DOCKER),
      mended: () => soundImage('foreign'),
      waiver: ['--rule', 'mediaTypes'],
    },
    {
      ...({ name: 'a foreign layer with a secret', of: 'foreign', rule: 'secrets' } as const),
      says: /: github-token/,
      faulty: async () => foreign(gzipSync(await buildTar([{ path: 'app/k', data: newToken() }]))),
      mended: () => soundImage('foreign secret'),
    },
  ];
}

const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
const FOREIGN_OF_DOCKER = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
const FOREIGN = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';

/** Its bytes lie at an address of its maker; docker pushes them all the same when it is told to. */
function foreign(bytes: Uint8Array, mediaType = FOREIGN): ReturnType<Fault['faulty']> {
  return imageWith('foreign', { layers: [{ bytes, mediaType }] });
}

async function brokenGzip(): Promise<Uint8Array> {
  const whole = gzipSync(await buildTar([{ path: 'app/noise', data: randomBytes(64 * KiB) }]));
  return whole.subarray(0, whole.length / 2);
}

function newToken(): string {
  const [planted] = plantSecrets().filter(({ id }) => id === 'github-token');
  return planted?.data ?? '';
}
