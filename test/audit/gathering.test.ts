import assert from 'node:assert/strict';
import { createGathering } from '../../src/audit/gathering.ts';

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

describe('what a write of the access log waits for', () => {
  /** How many have come when the write begins, if one more comes in each turn. */
  async function gathered({ turnsMax, expected, until = Number.POSITIVE_INFINITY }: Given): Promise<number> {
    let count = 0;
    let isOver = false;
    const gathering = createGathering(turnsMax, () => count);
    gathering.wrote(expected);
    count = 1;
    const waited = gathering.wait().then(() => {
      isOver = true;
      return count;
    });
    while (!isOver) {
      if (count < until) count += 1;
      await turn();
    }
    return waited;
  }

  interface Given {
    readonly turnsMax: number;
    readonly expected: number;
    /** None come after so many. */
    readonly until?: number;
  }

  it('waits for the rest of the turn alone, where nobody is expected', async () => {
    assert.equal(await gathered({ turnsMax: 20, expected: 0 }), 2);
  });

  it('waits while each turn brings more, until as many came as the last write answered', async () => {
    const count = await gathered({ turnsMax: 20, expected: 6 });
    assert(count >= 6 && count <= 7, `${count} came`);
  });

  it('waits for those who do not come no longer than a turn', async () => {
    assert.equal(await gathered({ turnsMax: 20, expected: 100, until: 4 }), 4);
  });

  it('waits no more turns than it may', async () => {
    const count = await gathered({ turnsMax: 3, expected: 100 });
    assert(count >= 4 && count <= 5, `${count} came`);
  });
});
