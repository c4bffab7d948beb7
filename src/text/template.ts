/**
 * Where the special tokens go: [CLS] A [SEP], or [CLS] A [SEP] B [SEP] for a pair; and the token type of every place.
 *
 * `post_processor` of tokenizer.json, read as huggingface/tokenizers 0.23.2 does (processors/*.rs): special tokens have the
 * ids that stand there. Or what a tokenizer class of transformers makes in its place (tokenizer-classes.ts).
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, quote } from '../io/json.ts';
import { type Fields, fields } from '../io/json-fields.ts';

export type Slot = { readonly sequence: 'A' | 'B'; readonly typeId: number } | SpecialSlot;

interface SpecialSlot {
  readonly id: number;
  readonly token: string;
  readonly typeId: number;
}

export interface Template {
  readonly single: readonly Slot[];
  /** Undefined where the file has none. */
  readonly pair: readonly Slot[] | undefined;
}

/**
 * @param postProcessor - the field of tokenizer.json
 * @throws E_TOKENIZER for types other than TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and one of them
 *   in a Sequence; E_CONFIG for missing and mistyped fields
 */
export function readTemplate(postProcessor: Json, file: string): Template {
  if (postProcessor === null) return PLAIN;
  const processor = fields(postProcessor, file, 'post_processor');
  const type = processor.string('type');
  switch (type) {
    case 'TemplateProcessing':
      return templateProcessing(processor);
    case 'BertProcessing':
      return FRAMES.bert(special(processor, 'cls'), special(processor, 'sep'));
    case 'RobertaProcessing':
      return FRAMES.roberta(special(processor, 'cls'), special(processor, 'sep'));
    case 'ByteLevel': // concerns offsets only
      return PLAIN;
    case 'Sequence': {
      const parts = processor.array('processors').filter(part => (part as JsonObject | null)?.type !== 'ByteLevel');
      if (parts.length > 1) throw refuse(file, 'post_processor', 'one processor that adds tokens', `${parts.length}`);
      return readTemplate(parts[0] ?? null, file);
    }
    default:
      throw refuse(file, 'post_processor.type', 'TemplateProcessing, BertProcessing, RobertaProcessing', quote(type));
  }
}

/** The largest token type + 1. */
export function countTypes(slots: readonly Slot[]): number {
  return Math.max(0, ...slots.map(slot => slot.typeId)) + 1;
}

/** How many tokens a template adds to those of the text. */
export function countSpecials(slots: readonly Slot[]): number {
  return slots.filter(slot => 'id' in slot).length;
}

const A: Slot = { sequence: 'A', typeId: 0 };
const B: Slot = { sequence: 'B', typeId: 1 };
const PLAIN: Template = { single: [A], pair: [A, B] };

type Frame = (cls: SpecialSlot, sep: SpecialSlot) => Template;

/** The templates that go by a name, of special tokens of type 0. */
export const FRAMES: Readonly<Record<'bert' | 'roberta' | 'funnel', Frame>> = {
  bert: (cls, sep) => ({ single: [cls, A, sep], pair: [cls, A, sep, B, { ...sep, typeId: 1 }] }),
  roberta: (cls, sep) => ({ single: [cls, A, sep], pair: [cls, A, sep, sep, { ...B, typeId: 0 }, sep] }),
  funnel: (cls, sep) => FRAMES.bert({ ...cls, typeId: 2 }, sep),
};

/** `"sep": ["</s>", 2]` */
function special(processor: Fields, key: 'cls' | 'sep'): SpecialSlot {
  const [token, id] = processor.array(key);
  if (typeof token !== 'string' || !isId(id)) {
    throw refuse(processor.file, `post_processor.${key}`, '["token", id]', `[${typeof token}, ${typeof id}]`);
  }
  return { id, token, typeId: 0 };
}

/**
 * `"single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, …]`, where a name of
 * a special token may stand for several: `"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}}`.
 */
function templateProcessing(processor: Fields): Template {
  const single = slots(processor, 'single', ['A']);
  const hasPair = processor.array('pair', { default: [] }).length > 0;
  return { single, pair: hasPair ? slots(processor, 'pair', ['A', 'B']) : undefined };
}

/** @param sequences - each of which must stand there once: a text must neither vanish nor multiply */
function slots(processor: Fields, key: 'single' | 'pair', sequences: readonly string[]): Slot[] {
  const { file } = processor;
  const where = `post_processor.${key}`;
  const specials = processor.object('special_tokens');
  const slots = atMost(processor.array(key), MAX_PIECES, where, file).flatMap((value, n): Slot[] => {
    const piece = fields(value, file, `${where}[${n}]`);
    const isSpecial = piece.has('SpecialToken');
    const reference = piece.object(isSpecial ? 'SpecialToken' : 'Sequence');
    const typeId = reference.integer('type_id', { min: 0, max: 1 });
    if (!isSpecial) return [{ sequence: reference.string('id', { oneOf: sequences }) as 'A' | 'B', typeId }];

    const entry = specials.object(reference.string('id'));
    const tokens = entry.array('tokens');
    return atMost(entry.array('ids'), MAX_IDS, `${where}[${n}]`, file).map((id, k) => {
      const token = tokens[k];
      if (isId(id) && typeof token === 'string') return { id, token, typeId };
      throw refuse(file, `${where}[${n}]`, 'as many tokens as ids', `[${typeof id}, ${typeof token}]`);
    });
  });
  const found = slots.flatMap(slot => ('sequence' in slot ? [slot.sequence] : []));
  if (found.toSorted().join() === sequences.join()) return slots;
  throw refuse(file, where, `${sequences.join(' and ')} once`, found.join(', ') || 'neither');
}

// A template multiplies: pieces times ids, for every text. Genuine ones have five pieces of one id.
const MAX_PIECES = 16;
const MAX_IDS = 16;

function atMost(values: readonly Json[], limit: number, where: string, file: string): readonly Json[] {
  if (values.length <= limit) return values;
  throw refuse(file, where, `at most ${limit}`, `${values.length}`);
}

function isId(value: Json | undefined): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

function refuse(file: string, where: string, expected: string, found: string): GlassbertError {
  return new GlassbertError('E_TOKENIZER', `${quote(where)} cannot be used`, { file, expected, found });
}
