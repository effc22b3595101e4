import { availableParallelism } from 'node:os';

/** How many test files run beside each other: as many as the machine computes at once, within reason. */
export const AT_ONCE = Math.min(Math.max(availableParallelism(), 1), 4);

/**
 * Works through the items in their order, as many at once as there are lanes. What a lane is (a number, a copy of the
 * tree) is for the caller to say; two items are never in one lane at the same time.
 *
 * @throws what `work` throws first.
 */
export async function workThrough<Item, Lane>(
  items: readonly Item[],
  lanes: readonly Lane[],
  work: (item: Item, lane: Lane) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const follow = async (lane: Lane): Promise<void> => {
    for (const item of waiting) await work(item, lane);
  };
  await Promise.all(lanes.map(follow));
}
