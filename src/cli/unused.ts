/** Tensors that a model does not use, as many as may be printed: a hostile file holds 100,000. */
import type { WeightsReport } from '../io/load-report.ts';

/** More than any head of a genuine model has. */
const LISTED = 100;

/** Those of the weights that are listed, and how many more there are. */
export function listUnused({ unused }: WeightsReport): { listed: readonly string[]; beyond: number } {
  return { listed: unused.slice(0, LISTED), beyond: Math.max(0, unused.length - LISTED) };
}

/** The report as it is printed in JSON: where there are more, `unlisted` counts them. */
export function withFewUnused<Report extends { readonly weights: readonly WeightsReport[] }>(report: Report): Report {
  const weights = report.weights.map(of => {
    const { listed, beyond } = listUnused(of);
    return beyond === 0 ? of : { ...of, unused: listed, unlisted: beyond };
  });
  return { ...report, weights };
}
