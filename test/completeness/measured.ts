/** Checks the directory that is given, in a process of its own: prints what came of it, and what it took, as JSON. */
import { checkDirectory } from '../../src/completeness/check-directory.ts';

export interface Measured {
  readonly verdict: string;
  readonly errors: number;
  readonly codes: readonly string[];
  /** Of the findings, as JSON. */
  readonly characters: number;
  /** Of all processors together. */
  readonly seconds: number;
  /** The most memory that the process ever had, in bytes. */
  readonly peak: number;
}

const report = await checkDirectory(process.argv[2]);
const { user, system } = process.cpuUsage();
const measured: Measured = {
  verdict: report.verdict,
  errors: report.counts.errors,
  codes: [...new Set(report.findings.map(({ code }) => code))],
  characters: JSON.stringify(report.findings).length,
  seconds: (user + system) / 1e6,
  peak: process.resourceUsage().maxRSS * 1024,
};
process.stdout.write(JSON.stringify(measured));
