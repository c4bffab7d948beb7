/**
 * Writes docs/errors.md from the codes in the source. To run it, in the root of the repository:
 *
 *   npm exec -- node test/misc/make-error-table.ts
 */
import { writeFileSync } from 'node:fs';
import { CHECK_CODES } from '../../src/completeness/findings.ts';
import { ERROR_CODES, WARNING_CODES } from '../../src/errors.ts';

export const ERROR_TABLE_FILE: URL = new URL('../../docs/errors.md', import.meta.url);

/** The text of docs/errors.md. */
export function errorTable(): string {
  const errors = Object.entries(ERROR_CODES).map(([code, { cause, fix }]) => row(code, cause, fix));
  const warnings = Object.entries({ ...CHECK_CODES, ...WARNING_CODES }).sort(([a], [b]) => (a < b ? -1 : 1));
  return `<!-- Generated from src/errors.ts and src/completeness/findings.ts by test/misc/make-error-table.ts: do not edit. -->

# Errors and warnings

Whatever goes wrong ends in a \`GlassbertError\`: \`code\` is one of these and never changes its meaning; \`message\` names the file,
what was expected and what was found; \`hint\`, where there is one, says what to do in this very case.

${row('code', 'cause', 'what to do')}
|---|---|---|
${errors.join('\n')}

Warnings do not stop anything. They go to \`onWarning\` and stand in \`report.warnings\`; those of \`glassbert check\` and
\`glassbert verify\` are in their output.

${row('code', 'what it says')}
|---|---|
${warnings.map(([code, cause]) => row(code, cause)).join('\n')}
`;
}

function row(...cells: string[]): string {
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|').replace(/^[EW]_\w+$/, '`$&`')).join(' | ')} |`;
}

if (import.meta.main) writeFileSync(ERROR_TABLE_FILE, errorTable());
