/**
 * Milliseconds of processor time that this process spent on the work. Unlike the time on the wall, a machine that is
 * busy with something else does not change it, so a test may hold it against a limit.
 */
export async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
