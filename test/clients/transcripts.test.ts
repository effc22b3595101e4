import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RECORDED_CLIENTS } from './recorded-clients.ts';
import { LEAKED, type RecordedServer, SPEAKERS, startRecordedServer } from './recorded-server.ts';
import { createReplayer, differencesOf, type Replayer } from './replay.ts';
import type { Answer, Transcript } from './transcript.ts';

const FOLDER = join(import.meta.dirname, 'transcripts');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

function read(file: string): Transcript {
  return JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
}

/** What real clients said, said again without them; `node test/record-clients.ts` takes it down anew. */
describe('the transcripts of real clients', function () {
  // Nearly all of it is the start of the server.
  this.timeout(240_000);
  let recorded: RecordedServer;
  let replayer: Replayer;
  before(async () => {
    recorded = await startRecordedServer();
    replayer = createReplayer(recorded.server, SPEAKERS);
  });
  after(async () => {
    replayer?.close();
    await recorded?.server.remove();
  });

  for (const file of FILES) {
    const { client, conversations } = read(file);
    describe(client, () => {
      for (const conversation of conversations) {
        it(`${conversation.title} as it was recorded`, async () => {
          assert.deepEqual(await replayer.replay(conversation), []);
        });
      }
    });
  }

  it('are no larger than 200 kB each, and there is one of each client', () => {
    assert.deepEqual(FILES.toSorted(), RECORDED_CLIENTS.map(({ name }) => `${name}.json`).toSorted());
    for (const file of FILES) assert(readFileSync(join(FOLDER, file)).length < 200_000, file);
  });

  it('hold no password, no token and nothing of the machine', () => {
    const secrets = [...SPEAKERS.map(({ password }) => password), ...LEAKED, 'eyJ', 'dgr_', 'dgp_'];
    const basic = SPEAKERS.map(({ user, password }) => btoa(`${user}:${password}`));
    for (const file of FILES) {
      const text = readFileSync(join(FOLDER, file), 'utf8');
      for (const secret of [...secrets, ...basic]) assert(!text.includes(secret), `${file} holds ${secret}`);
      assert.doesNotMatch(text, /localhost:\d|127\.0\.0\.1|\/tmp\/|\/home\/|\/root\//, file);
      for (const { exchanges } of read(file).conversations) {
        for (const { ask } of exchanges) {
          const credential = String(ask.headers.authorization ?? 'Basic <basic of alice>');
          assert.match(credential, /^(Basic|Bearer) <[a-z0-9 ]+>$/, file);
        }
      }
    }
  });
});

describe('a replayed transcript', () => {
  const found = (isIt: (answer: Answer, path: string) => boolean): Answer => {
    for (const file of FILES) {
      for (const { exchanges } of read(file).conversations) {
        for (const { ask, answer } of exchanges) if (isIt(answer, ask.path)) return answer;
      }
    }
    throw new Error('no transcript holds such an answer');
  };
  const without = ({ headers, ...rest }: Answer, name: string): Answer => {
    const { [name]: _, ...others } = headers;
    return { ...rest, headers: others };
  };
  const withJson = (answer: Answer, change: (json: Record<string, unknown>) => unknown): Answer => {
    assert(answer.body && 'json' in answer.body);
    return {
      ...answer,
      body: { json: change(structuredClone(answer.body.json) as Record<string, unknown>) },
    };
  };
  const manifest = () => found((answer, path) => path.includes('/manifests/') && answer.status === 200);
  const unauthorized = () => found((answer) => 'www-authenticate' in answer.headers);
  const upload = () => found((answer) => answer.status === 202 && 'location' in answer.headers);
  const token = () => found((answer, path) => path.startsWith('/token') && answer.status === 200);
  const blocked = () => found((answer) => answer.status === 403 && answer.body !== undefined);

  const CHANGES: readonly (readonly [string, () => Answer, (answer: Answer) => Answer])[] = [
    ['a manifest without its digest', manifest, (answer) => without(answer, 'docker-content-digest')],
    ['a manifest without its length', manifest, (answer) => without(answer, 'content-length')],
    [
      'a manifest of another media type',
      manifest,
      (answer) => withHeader(answer, 'content-type', 'text/plain'),
    ],
    ['a manifest of other bytes', manifest, (answer) => ({ ...answer, body: { sha256: '0', bytes: 1 } })],
    ['no challenge', unauthorized, (answer) => without(answer, 'www-authenticate')],
    [
      'a challenge for Basic',
      unauthorized,
      (answer) => withHeader(answer, 'www-authenticate', 'Basic realm="dockgate"'),
    ],
    [
      'a relative location',
      upload,
      (answer) =>
        withHeader(answer, 'location', String(answer.headers.location).replace('https://<host>', '')),
    ],
    ['no range of an upload', upload, (answer) => without(answer, 'range')],
    [
      'a token without its lifetime',
      token,
      (answer) => withJson(answer, ({ expires_in: _, ...rest }) => rest),
    ],
    [
      'no access_token beside the token',
      token,
      (answer) => withJson(answer, ({ access_token: _, ...rest }) => rest),
    ],
    ['404 in place of 403', blocked, (answer) => ({ ...answer, status: 404 })],
    [
      'another error code',
      blocked,
      (answer) =>
        withJson(answer, () => ({ errors: [{ code: 'UNKNOWN', message: 'dockgate: blocked it' }] })),
    ],
    [
      'a refusal that does not name dockgate',
      blocked,
      (answer) => withJson(answer, () => ({ errors: [{ code: 'DENIED', message: 'access denied' }] })),
    ],
  ];
  function withHeader(answer: Answer, name: string, value: string): Answer {
    return { ...answer, headers: { ...answer.headers, [name]: value } };
  }

  for (const [title, of, change] of CHANGES) {
    it(`notices ${title}`, () => {
      const answer = of();
      assert.deepEqual(differencesOf(answer, answer), []);
      assert.notDeepEqual(differencesOf(answer, change(answer)), []);
    });
  }

  it('does not mind other words of a refusal after the first two', () => {
    const answer = blocked();
    const reworded = withJson(answer, (json) => {
      const [first] = json.errors as { message: string }[];
      assert(first);
      const [who, what] = first.message.split(' ');
      return { errors: [{ ...first, message: `${who} ${what} it, for a reason` }] };
    });
    assert.deepEqual(differencesOf(answer, reworded), []);
  });
});
