import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/audit/checkpoint.ts';
import { parseCosignerKey, printAddCheckpoint, readHeadNote, verifyLog } from '../../src/audit/index.ts';
import { openNote, parseVerifierKey } from '../../src/audit/note.ts';
import { isContinuation } from '../../src/audit/paths.ts';
import { StartError, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { openWitnesses, type WitnessConfig } from '../../src/outlets/index.ts';
import { createTlogKeeper } from '../../src/outlets/tlog-keeper.ts';
import type { HeadNote, HeadSource } from '../../src/outlets/witness.ts';
import { type BuiltLog, buildLog } from '../audit/built-log.ts';
import { until } from '../support/until.ts';
import { type HttpLab, startHttp } from './lab.ts';

describe('checkpoints that are sent to places which the operator does not control', function () {
  this.timeout(60_000);
  let log: BuiltLog;
  let away: string;
  beforeEach(async () => {
    log = await buildLog();
    await log.growTo(300);
    away = await mkdtemp(join(tmpdir(), 'dockgate-away-'));
  });
  afterEach(async () => {
    await log.end();
    await rm(away, { recursive: true, force: true });
  });

  const source: HeadSource = {
    async newest() {
      const head = await readHeadNote(log.directory);
      return head && { note: head.note, origin: head.checkpoint.origin, size: head.checkpoint.size };
    },
    printAddCheckpoint: (head, oldSize) => printAddCheckpoint(log.directory, head, oldSize),
  };
  const open = (...witnesses: WitnessConfig[]) =>
    openWitnesses(
      { directory: join(log.directory, 'witnesses'), witnesses },
      { source, clock: systemClock, random: systemRandom, logger: silentLogger },
    );
  const verify = (against?: string) =>
    verifyLog({
      directory: log.directory,
      publicKey: log.publicKey,
      ...(against === undefined ? {} : { against }),
    });
  const newest = async (): Promise<HeadNote> => (await source.newest()) ?? assert.fail('no checkpoint');
  const signal = AbortSignal.timeout(60_000);

  /** Somebody with the key writes the whole log anew, with one record edited. */
  async function rewrite(size: number, edited: number): Promise<void> {
    const other = await buildLog('n1', log.signer);
    await other.growTo(size, (index) => (index === edited ? { outcome: 'refused', status: 403 } : {}));
    await rm(log.log, { recursive: true });
    await cp(other.log, log.log, { recursive: true });
    await other.end();
  }

  it('go to a file that only grows, and find a history rewritten with the stolen key (A-07)', async () => {
    const path = join(away, 'checkpoints');
    const witnesses = open({ name: 'far', kind: 'file', path, everyMs: 20 });
    for (const size of [500, 700]) {
      await until(
        () => witnesses.states()[0]?.lag === 0 && witnesses.states()[0]?.next !== 0,
        'the checkpoint came as it should',
      );
      await log.growTo(size);
      await until(() => witnesses.states()[0]?.next === size, 'the checkpoint came as it should');
    }
    await witnesses.close();
    const collected = await readFile(path, 'utf8');
    assert.equal((await verify(collected)).damage, undefined);
    await rewrite(700, 420);
    assert.equal((await verify()).damage, undefined, 'by itself the new history is sound');
    const { damage } = await verify(collected);
    assert.deepEqual([damage?.kind, damage?.index], ['older-copy', 300]);
    assert.match(damage?.message ?? '', /records 300 to 499 are not those/);
  });

  it('find a tail that was removed with the key after it was seen', async () => {
    const collected = `${log.checkpoints.get(300)}`;
    await rewrite(299, -1);
    const { damage } = await verify(collected);
    assert.deepEqual([damage?.kind, damage?.index], ['older-copy', 299]);
  });

  it('count only where they are whole: one cut off or by another key is told', async () => {
    const path = join(away, 'checkpoints');
    const witnesses = open({ name: 'far', kind: 'file', path, everyMs: 20 });
    await until(() => witnesses.states()[0]?.next === 300, 'the checkpoint came as it should');
    await witnesses.close();
    const collected = await readFile(path, 'utf8');
    for (const bad of [
      collected.slice(0, -20),
      `${collected}dockgate/n1\n5\n`,
      collected.replace('300', '301'),
    ]) {
      assert.equal((await verify(bad)).damage?.kind, 'checkpoint', bad);
    }
  });

  it('wait for a file that cannot be written, say so, and go on when it can', async () => {
    const directory = join(away, 'mount');
    await writeFile(directory, 'nothing is mounted here');
    const path = join(directory, 'checkpoints');
    const witnesses = open({ name: 'far', kind: 'file', path, everyMs: 20 });
    await until(() => witnesses.states()[0]?.isHealthy === false, 'the failure is told');
    const { lastError, lag } = witnesses.states()[0] ?? {};
    assert.match(lastError ?? '', /ENOTDIR/);
    assert.equal(lag, 300);
    await rm(directory);
    await mkdir(directory);
    await until(() => witnesses.states()[0]?.next === 300, 'it goes on');
    assert.equal(witnesses.states()[0]?.isHealthy, true);
    await witnesses.close();
  });

  it('go by HTTP as JSON that verify reads again, signed with a shared secret', async () => {
    const far = await startHttp((_, response) => response.end());
    try {
      const witnesses = open({ name: 'far', kind: 'http', url: far.url, secret: 'shared', everyMs: 20 });
      await until(() => witnesses.states()[0]?.next === 300, 'the checkpoint came as it should');
      await witnesses.close();
      const [request] = far.requests;
      assert.equal((await verify(request?.body)).damage, undefined);
      const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': mac } = request?.headers ?? {};
      const expected = createHmac('sha256', 'shared').update(`${id}.${at}.${request?.body}`).digest('base64');
      assert.equal(mac, `v1,${expected}`);
      await rewrite(300, 7);
      assert.equal((await verify(request?.body)).damage?.kind, 'older-copy');
    } finally {
      await far.close();
    }
  });

  it('go by syslog as one line that verify reads again', async () => {
    const received: Buffer[] = [];
    const server = createTcpServer((socket) => {
      socket.on('data', (chunk: Buffer) => received.push(chunk));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const witnesses = open({
      name: 'far',
      kind: 'syslog',
      protocol: 'tcp',
      host: '127.0.0.1',
      port,
      everyMs: 20,
    });
    await until(() => Buffer.concat(received).toString().endsWith('}'), 'the checkpoint came as it should');
    await witnesses.close();
    server.close();
    const message = Buffer.concat(received).toString();
    assert.match(
      message,
      /^\d+ <109>1 \S+Z \S+ dockgate - checkpoint - \{"origin":"dockgate\/n1","size":300,/,
    );
    assert.match(message, /^[\x20-\x7e]*$/);
    assert.equal((await verify(message)).damage, undefined);
    await rewrite(300, 7);
    assert.equal((await verify(message)).damage?.kind, 'older-copy');
  });

  it('go to an object store, each as an object that nothing replaces, signed as AWS says', async () => {
    const objects = new Map<string, string>();
    const secretAccessKey = 'a secret of the store';
    const far = await startHttp(({ body, count }, response) => {
      const { headers = {}, url = '', method } = far.requests[count - 1] ?? {};
      const isGood = isSigned({ method, url, headers, body }, secretAccessKey);
      if (!isGood) response.statusCode = 403;
      else if (headers['if-none-match'] !== '*') response.statusCode = 400;
      else if (objects.has(url)) response.statusCode = 412;
      else objects.set(url, body);
      response.end();
    });
    try {
      const store = { url: `${far.url}/bucket/prefix/`, region: 'eu-1', accessKeyId: 'KEY', everyMs: 20 };
      const witnesses = open({ name: 'far', kind: 's3', ...store, secretAccessKey });
      const isOver = ({ next, isHealthy }: { next?: number; isHealthy?: boolean } = {}) =>
        next === 300 || isHealthy === false;
      await until(() => isOver(witnesses.states()[0]), 'the checkpoint came, or was not taken');
      assert.equal(witnesses.states()[0]?.lastError, undefined);
      await witnesses.close();
      // A server that was started anew sends the same once more: it is there.
      const again = open({ name: 'far', kind: 's3', ...store, secretAccessKey });
      await until(() => again.states()[0]?.next === 300, 'the checkpoint came as it should');
      await again.close();
      const [[name, note] = []] = objects;
      assert.match(name ?? '', /^\/bucket\/prefix\/dockgate\/n1\/0000000000000300-[0-9a-f]{16}$/);
      assert.equal((await verify(note)).damage, undefined);
      const stranger = open({ name: 'far', kind: 's3', ...store, secretAccessKey: 'another' });
      await until(() => stranger.states()[0]?.isHealthy === false, 'the checkpoint came as it should');
      assert.match(stranger.states()[0]?.lastError ?? '', /answered 403/);
      await stranger.close();
      assert.equal(objects.size, 1);
    } finally {
      await far.close();
    }
  });

  describe('go to a C2SP witness, which', () => {
    let witness: TestWitness;
    beforeEach(async () => {
      witness = await startWitness(log.publicKey);
    });
    afterEach(() => witness.http.close());

    const keeper = (publicKey = witness.publicKey) => {
      const cosigner = parseCosignerKey(publicKey) ?? assert.fail('no key of a cosigner');
      const path = join(log.directory, 'witnesses', 'far');
      return createTlogKeeper({ url: `${witness.http.url}/`, cosigner, path }, source);
    };

    it('gets a proof from the size that it knows, and whose cosignature is kept', async () => {
      const one = keeper();
      await one.keep(await newest(), signal);
      await log.growTo(700);
      await one.keep(await newest(), signal);
      assert.equal(witness.size(), 700);
      await one.close();
      // After a restart nobody knows what the witness knows: it says so.
      await log.growTo(800);
      const another = keeper();
      await another.keep(await newest(), signal);
      await another.close();
      assert.equal(witness.size(), 800);
      const kept = await readFile(join(log.directory, 'witnesses', 'far'), 'utf8');
      assert.equal(kept.split('\n\u2014 ').length, 3, 'the log and the witness signed');
      assert.equal((await verify(kept)).damage, undefined);
    });

    it('refuses a history rewritten with the stolen key, which is told at once (A-07)', async () => {
      const one = keeper();
      await one.keep(await newest(), signal);
      await rewrite(500, 3);
      await assert.rejects(one.keep(await newest(), signal), /another history/);
      await rewrite(300, 3);
      await assert.rejects(one.keep(await newest(), signal), /another history/);
      await rewrite(200, -1);
      const fresh = keeper();
      await assert.rejects(fresh.keep(await newest(), signal), /has seen 300 records and the log has 200/);
      await one.close();
      await fresh.close();
    });

    it('counts only with a cosignature by its key over this checkpoint', async () => {
      witness.spoil = 'signature';
      await assert.rejects(keeper().keep(await newest(), signal), /no cosignature/);
      witness.spoil = 'empty';
      await assert.rejects(keeper().keep(await newest(), signal), /no cosignature/);
      witness.spoil = 'teapot';
      await assert.rejects(keeper().keep(await newest(), signal), /answered 418/);
      witness.spoil = undefined;
      const stranger = generateKeyPairSync('ed25519');
      await assert.rejects(
        keeper(cosignerKey('far', stranger.publicKey)).keep(await newest(), signal),
        /no cosignature/,
      );
      await keeper().keep(await newest(), signal);
    });

    it('has a key of a cosigner, not of a log, or the server does not start', () => {
      const url = witness.http.url;
      assert.throws(
        () => open({ name: 'far', kind: 'tlog-witness', url, publicKey: log.publicKey, everyMs: 20 }),
        StartError,
      );
    });
  });
});

interface TestWitness {
  readonly http: HttpLab;
  readonly publicKey: string;
  size(): number;
  spoil: 'signature' | 'empty' | 'teapot' | undefined;
}

/** A witness as C2SP tlog-witness has it, for one log. */
async function startWitness(logKey: string): Promise<TestWitness> {
  const key = generateKeyPairSync('ed25519');
  const verifier = parseVerifierKey(logKey) ?? assert.fail('no key of a log');
  let known = { size: 0, root: Buffer.alloc(0) as Buffer };
  const publicKey = cosignerKey('far', key.publicKey);
  const witness: TestWitness = {
    http: await startHttp(({ body, count }, response) => {
      assert.equal(witness.http.requests[count - 1]?.url, '/add-checkpoint');
      const [head = '', ...rest] = body.split('\n\n');
      const [old = '', ...path] = head.split('\n');
      const note = rest.join('\n\n');
      const checkpoint = openCheckpoint(note, verifier);
      const text = openNote(note, verifier) ?? '';
      const oldSize = Number(old.slice('old '.length));
      const hashes = path.map((hash) => Buffer.from(hash, 'base64'));
      const refuse = (status: number, text = ''): void => void response.writeHead(status).end(text);
      if (witness.spoil === 'teapot') return refuse(418);
      if (checkpoint === undefined) return refuse(403);
      if (oldSize > checkpoint.size) return refuse(400);
      if (oldSize !== known.size) return refuse(409, `${known.size}\n`);
      if (oldSize === checkpoint.size && !checkpoint.root.equals(known.root))
        return refuse(409, `${known.size}\n`);
      if (oldSize > 0 && !isContinuation(known, checkpoint, hashes)) return refuse(422);
      if (witness.spoil === undefined) known = checkpoint;
      const seconds = 1_790_000_000;
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(seconds));
      const signed = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), key.privateKey);
      if (witness.spoil === 'signature') signed[9] = (signed[9] ?? 0) ^ 1;
      const id = Buffer.from(publicKey.split('+')[1] ?? '', 'hex');
      const line = `\u2014 far ${Buffer.concat([id, time, signed]).toString('base64')}\n`;
      response.end(witness.spoil === 'empty' ? '' : `\u2014 other AAAAAAAA\n${line}`);
    }),
    publicKey,
    size: () => known.size,
    spoil: undefined,
  };
  return witness;
}

function cosignerKey(name: string, key: KeyObject): string {
  const bytes = Buffer.concat([Buffer.from([4]), key.export({ type: 'spki', format: 'der' }).subarray(-32)]);
  const id = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), bytes]), 'buffer').subarray(0, 4);
  return `${name}+${id.toString('hex')}+${bytes.toString('base64')}`;
}

/** What a store checks: AWS Signature Version 4, by hand from its description. */
function isSigned(
  request: {
    readonly method: string | undefined;
    readonly url: string;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly body: string;
  },
  secret: string,
): boolean {
  const { method, url, headers, body } = request;
  const match =
    /^AWS4-HMAC-SHA256 Credential=KEY\/(\d{8})\/(eu-1)\/(s3)\/aws4_request, SignedHeaders=(\S+), Signature=(\w+)$/.exec(
      String(headers.authorization),
    );
  if (!match) return false;
  const [, day = '', region = '', service = '', names = '', signature] = match;
  const payload = String(headers['x-amz-content-sha256']);
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== createHash('sha256').update(body).digest('hex'))
    return false;
  const signedHeaders = names
    .split(';')
    .map((name) => `${name}:${headers[name]}\n`)
    .join('');
  const canonical = `${method}\n${url}\n\n${signedHeaders}\n${names}\n${payload}`;
  const scope = `${day}/${region}/${service}/aws4_request`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const text = `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${scope}\n${digest}`;
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const part of [day, region, service, 'aws4_request'])
    key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(text).digest('hex') === signature;
}
