import Benchmark from 'benchmark';

/** The shortest of several runs, in seconds. */
export function best(run: () => void): number {
  const benchmark = new Benchmark(run, { minSamples: 5, maxTime: 2 });
  benchmark.run();
  if (benchmark.error) throw benchmark.error;
  return Math.min(...benchmark.stats.sample);
}
