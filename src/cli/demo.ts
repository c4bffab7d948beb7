/** `glassbert` without arguments: the main job, done once on three sentences. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { environment } from './environment.ts';
import { formatClosest, formatMatrix } from './matrix.ts';
import { loadEncoder, type ModelFlags, withModel } from './options.ts';
import { print, talk, visible } from './terminal.ts';

/** Those of the documentation of Sentence Transformers. */
const SENTENCES = ['The weather is lovely today.', "It's so sunny outside!", 'He drove to the stadium.'];

export function addDemo(program: Command): void {
  withModel(program.command('demo'))
    .summary('three sentences, compared: what happens without a command')
    .description('Embeds three sentences and shows how similar they are. This is what happens without a command.')
    .action(demo);
}

async function demo(flags: ModelFlags): Promise<void> {
  const encoder = await loadEncoder(flags);
  const vectors = await encoder.encode(SENTENCES);
  const matrix = encoder.similarity(vectors, vectors);
  const { directory, architecture, settings } = encoder.report;

  await print(`${formatMatrix(SENTENCES, matrix)}
the closest  ${formatClosest(matrix)}
similarity   ${settings.similarityFnName.value}
model        ${visible(basename(directory))}: ${visible(architecture)}
dimension    ${encoder.dimension}
`);
  const self = environment('npm_lifecycle_event') === 'start' ? 'npm start --' : 'glassbert';
  talk(`
These three sentences are examples. Try:
  ${self} embed "A sentence of yours."
  ${self} similar "I forgot my login." "How do I reset my password?" "The train leaves at noon."
  ${self} inspect
  ${self} --help`);
}
