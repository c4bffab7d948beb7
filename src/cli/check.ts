/** `glassbert check`: is everything there, and does it fit together? */
import { styleText } from 'node:util';
import type { Command } from 'commander';
import type { Evidence } from '../completeness/evidence.ts';
import type { Finding, Severity } from '../completeness/findings.ts';
import { type CompletenessReport, checkDirectory } from '../index.ts';
import { TRUST_EXIT, TRUST_EXIT_HELP } from './exit-codes.ts';
import { withHashingProgress } from './hashing.ts';
import { count, dim, json, print, section, visible } from './terminal.ts';
import { withFewUnused } from './unused.ts';

export function addCheck(program: Command): void {
  program
    .command('check')
    .summary('is a model directory complete and consistent')
    .description(
      'Checks a model directory offline: that every file and tensor is there and fits, that names and links survive a ' +
        'copy, and what is on record about the files. Lists all that is wrong, what to do, and what works all the same.',
    )
    .argument('<dir>', 'model directory')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  glassbert check models/all-MiniLM-L6-v2
  glassbert check models/all-MiniLM-L6-v2 --json | jq '.findings[].message'
${TRUST_EXIT_HELP}`,
    )
    .action(check);
}

const EXIT_OF_VERDICT: Record<CompletenessReport['verdict'], number> = {
  complete: TRUST_EXIT.ok,
  incomplete: TRUST_EXIT.incomplete,
  integrity: TRUST_EXIT.integrity,
  signature: TRUST_EXIT.signature,
  unsafe: TRUST_EXIT.unsafe,
};

async function check(directory: string, { json: asJson }: { json?: boolean }): Promise<void> {
  const report = await withHashingProgress(onProgress => checkDirectory(directory, { onProgress }));
  await print(asJson ? `${json({ ...report, model: withFewUnused(report.model) }, 2)}\n` : formatReport(report));
  process.exitCode = EXIT_OF_VERDICT[report.verdict];
}

function formatReport(report: CompletenessReport): string {
  const of = (severity: Severity): Finding[] => report.findings.filter(finding => finding.severity === severity);
  return [
    formatVerdict(report),
    formatFindings('Errors', of('error')),
    formatFindings('Warnings', of('warning')),
    formatFindings('Notes', of('note')),
    section(
      'More of the same',
      Object.entries(report.unlisted).map(([code, number]) => [code, `${count(number)} more`]),
    ),
    formatOrigin(report),
    section('Model', modelRows(report)),
    section(
      'Works',
      report.works.map(({ what, works }) => [works ? styleText('green', 'yes') : styleText('red', 'no'), what]),
    ),
    section('On record', report.evidence.length > 0 ? report.evidence.flatMap(evidenceRows) : NO_RECORD),
    section('Read by loading', [readRow(report)], ['left', 'right']),
    section('Not needed by glassbert', unusedRows(report), ['left', 'right', 'right', 'left']),
  ]
    .filter(text => text !== '')
    .join('\n');
}

const VERDICTS: Record<CompletenessReport['verdict'], string> = {
  complete: 'complete: all that loading needs is there and fits',
  incomplete: 'NOT COMPLETE',
  integrity: 'CHANGED: files are not those on record',
  signature: 'SIGNATURE NOT VALID',
  unsafe: 'UNSAFE OR MALFORMED',
};

function formatVerdict({ directory, verdict, counts: { errors, warnings, notes } }: CompletenessReport): string {
  const colour = verdict === 'complete' ? 'green' : 'red';
  const counts = [plural(errors, 'error'), plural(warnings, 'warning'), plural(notes, 'note')].join(', ');
  return `${visible(directory)}: ${styleText(colour, VERDICTS[verdict])} (${counts})\n`;
}

/** Each on a line for what and where, one for what is wrong, and one for what to do. */
function formatFindings(heading: string, findings: readonly Finding[]): string {
  if (findings.length === 0) return '';
  const colour = heading === 'Errors' ? 'red' : heading === 'Warnings' ? 'yellow' : 'dim';
  const lines = findings.flatMap(({ code, kind, file, message, hint }) => [
    `  ${styleText(colour, code)}  ${visible(file)}${kind === 'incomplete' ? '' : `  (${kind})`}`,
    `    ${visible(message)}`,
    ...(hint === null ? [] : [`    ${dim(`hint: ${visible(hint)}`)}`]),
  ]);
  return `${styleText('bold', heading)}\n${lines.join('\n')}\n`;
}

/** Where there is a network, and then by hand to where there is none. */
function formatOrigin({ origin, findings }: CompletenessReport): string {
  const files = [...new Set(findings.flatMap(toGet))].filter(file => /^[A-Za-z0-9._/ -]+$/.test(file) && file !== '.');
  if (origin === null || files.length === 0) return '';
  const { id, source, guess } = origin;
  const revision = origin.revision === null ? '' : ` --revision ${origin.revision}`;
  const named = files.map(file => (file.includes(' ') ? `"${file}"` : file)).join(' ');
  return section('To get what is missing', [
    guess
      ? ['perhaps', `${visible(id)}: a guess, from ${visible(source)}; compare the sizes before you use it`]
      : ['published as', `${visible(id)}, as ${visible(source)} says`],
    ['with a network', `hf download ${visible(id)} ${named}${revision} --local-dir DIR`],
  ]);
}

/** The files that a finding says to get: the one that is missing; one that lies in the place of others, with these. */
function toGet({ code, file, hint }: Finding): string[] {
  if (code === 'E_FILE_MISSING' || code === 'E_WEIGHTS_PLACEHOLDER') return [file];
  const [, names] = (code === 'E_CONFIG' && /: get (.+) again\./.exec(hint ?? '')) || [];
  return names === undefined ? [] : [file, ...names.split(' and ').slice(1)];
}

function modelRows({ model }: CompletenessReport): string[][] {
  const { layout, architecture, dimension, maxSeqLength, pooling, vocabulary, savedBy, weights } = model;
  const sum = (of: (report: (typeof weights)[number]) => number): number => weights.reduce((all, w) => all + of(w), 0);
  const unknown = dim('not known');
  return [
    [
      'layout',
      layout === null
        ? unknown
        : layout + (savedBy === null ? '' : `, saved by sentence-transformers ${visible(savedBy)}`),
    ],
    ['architecture', architecture === null ? unknown : visible(architecture)],
    ['pooling', pooling?.join(' + ') ?? unknown],
    ['dimension', dimension === null ? unknown : `${dimension}`],
    ['longest input', maxSeqLength === null ? unknown : `${maxSeqLength} tokens`],
    ['vocabulary', vocabulary === null ? unknown : count(vocabulary)],
    [
      'weights',
      weights.length === 0
        ? unknown
        : `${plural(
            sum(w => w.tensors),
            'tensor',
          )}, ${count(sum(w => w.parameters))} parameters`,
    ],
  ];
}

const NO_RECORD = [['nothing', 'Whether the files are unchanged is not known; glassbert manifest makes a list.']];

function evidenceRows({ source, state, covered, uncovered, limit }: Evidence): string[][] {
  const shown = styleText(state === 'failed' ? 'red' : state === 'verified' ? 'green' : 'yellow', state);
  return [
    [visible(source), shown, `${plural(covered, 'file')} covered, ${count(uncovered)} not`],
    ['', '', dim(visible(limit))],
  ];
}

function readRow({ files: { read } }: CompletenessReport): string[] {
  const bytes = read.reduce((sum, file) => sum + file.bytes, 0);
  return [plural(read.length, 'file'), `${count(bytes)} bytes`];
}

function unusedRows({ files: { unused } }: CompletenessReport): string[][] {
  return unused.map(({ purpose, count: number, bytes, names }) => [
    purpose,
    plural(number, 'file'),
    `${count(bytes)} bytes`,
    dim(names.slice(0, SHOWN).map(visible).join(', ') + (number > SHOWN ? ', …' : '')),
  ]);
}

/** How many names of one purpose are shown. */
const SHOWN = 5;

function plural(number: number, what: string): string {
  return `${count(number)} ${what}${number === 1 ? '' : 's'}`;
}
