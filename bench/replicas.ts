import { ADMIN_PASSWORD, startReplicas } from '../test/support/replicas.ts';

/**
 * How long a right outlives its end in another replica: from the admin's answer on one node to the first refusal on the
 * other. With `without-redis` the other reads it in the database.
 *
 *   npm run bench:replicas [-- ROUNDS] [without-redis]
 */
const ROUNDS = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 100);
const isWithoutRedis = process.argv.includes('without-redis');
const PASSWORD = 'correct-horse-battery-9';
const PATH = '/v2/ops/none/tags/list';
const GRANT = { role: 'developer', on: 'ops/**', subject: { kind: 'user', name: 'alice' } };

const replicas = await startReplicas();
try {
  const { a, b } = replicas;
  await a.addUser('alice', PASSWORD, ['developer', 'team/**']);
  if (isWithoutRedis) await replicas.redis.kill();
  const token = () => b.token(`alice:${PASSWORD}`, 'repository:ops/none:pull');
  const change = async (path: 'grants' | 'grants/remove'): Promise<void> => {
    const answer = await a.request(`/api/v1/${path}`, {
      method: 'POST',
      basic: `admin:${ADMIN_PASSWORD}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(GRANT),
    });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  };
  const delaysMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await change('grants');
    let held = await token();
    while ((await b.request(PATH, { token: held })).status !== 404) held = await token();
    await change('grants/remove');
    const takenMs = performance.now();
    while ((await b.request(PATH, { token: held })).status === 404);
    delaysMs.push(performance.now() - takenMs);
  }
  const sorted = delaysMs.toSorted((left, right) => left - right);
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(1);
  const how = isWithoutRedis ? 'read in PostgreSQL' : 'over Redis';
  process.stdout.write(
    `revocation in another replica, ${how}, ${ROUNDS} rounds: median ${at(0.5)} ms, p95 ${at(0.95)} ms, slowest ${at(1)} ms\n` +
      'Each figure holds one request to the other replica, which found the right gone.\n',
  );
} finally {
  await replicas.remove();
}
