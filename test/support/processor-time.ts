/**
 * Milliseconds that this thread had the processor since `start`, or since it began: what a promise about time is measured by,
 * since a clock also counts what else runs on the machine.
 */
export function processorMs(start = 0): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000 - start;
}
