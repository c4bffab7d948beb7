/**
 * Which tokenizer class Python makes of a model directory: AutoTokenizer of transformers 5.18.0, as sentence-transformers
 * 6.0.1 calls it (models/auto/tokenization_auto.py; the lines stand at the steps). Two classes make different ids of the same
 * tokenizer.json: some keep the file, most take its vocabulary and make the rest anew.
 *
 * The tables hold the model types and classes of text models. A class that a table names and CLASSES does not is refused by
 * its name; to add one is to add its row.
 */
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';

/** What the files say about the class. */
export interface ClassEvidence {
  /** `tokenizer_class` of tokenizer_config.json. */
  readonly named?: string | undefined;
  /** `tokenizer_class` of config.json. */
  readonly namedByModel?: string | undefined;
  /** `model_type` of config.json. */
  readonly modelType?: string | undefined;
  /** Whether tokenizer_config.json has an `auto_map` with AutoTokenizer: code that comes with the model. It is not run. */
  readonly hasCode?: boolean;
}

/** What a class makes of the files; the defaults are those of its constructor. */
export interface TokenizerClass {
  readonly name: string;
  /** Whether the pipeline of tokenizer.json is kept, or made anew over its vocabulary as BERT's. */
  readonly keepsFile: boolean;
  /** The special tokens around the texts: those of the file, or its own. */
  readonly frame: 'file' | 'bert' | 'roberta' | 'funnel';
  /** The names of special tokens that no file names. */
  readonly specials: Readonly<Partial<Record<SpecialName, string>>>;
  /** Whether a mask token that has to be added takes the white space before it. */
  readonly maskStrips?: boolean;
  /** The ids that the frame has where `cls_token` and `sep_token` are null. */
  readonly unnamed?: { readonly cls: number; readonly sep: number };
  /** Whether the model is fed token_type_ids, where no file says. */
  readonly hasTypes: boolean;
}

/** In the order in which Python adds them: tokenization_utils_base.py, SPECIAL_TOKENS_ATTRIBUTES. */
export const SPECIAL_NAMES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

export type SpecialName = (typeof SPECIAL_NAMES)[number];

/** The class that keeps the file: PreTrainedTokenizerFast until transformers 4. */
export const GENERIC = 'TokenizersBackend';

const BERT: TokenizerClass = {
  name: 'BertTokenizer',
  keepsFile: false,
  frame: 'bert',
  specials: { unk_token: '[UNK]', sep_token: '[SEP]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]' },
  unnamed: { cls: 2, sep: 3 },
  hasTypes: true,
};

// models/X/tokenization_X.py: bert 104-135, mpnet 105-163, funnel; ConvBertTokenizer has no constructor of its own, and so the
// file is kept (tokenization_utils_tokenizers.py, 113-119) but for the frame, which BertTokenizer's constructor makes.
const CLASSES: readonly TokenizerClass[] = [
  { name: GENERIC, keepsFile: true, frame: 'file', specials: {}, hasTypes: false },
  BERT,
  { ...BERT, name: 'DistilBertTokenizer', hasTypes: false },
  { ...BERT, name: 'DPRQuestionEncoderTokenizer' },
  { ...BERT, name: 'DPRContextEncoderTokenizer' },
  { ...BERT, name: 'ConvBertTokenizer', keepsFile: true },
  {
    name: 'MPNetTokenizer',
    keepsFile: false,
    frame: 'roberta',
    specials: {
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '[UNK]',
      sep_token: '</s>',
      pad_token: '<pad>',
      cls_token: '<s>',
      mask_token: '<mask>',
    },
    maskStrips: true,
    unnamed: { cls: 0, sep: 2 },
    hasTypes: false,
  },
  {
    name: 'FunnelTokenizer',
    keepsFile: false,
    frame: 'funnel',
    specials: {
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
      sep_token: '<sep>',
      pad_token: '<pad>',
      cls_token: '<cls>',
      mask_token: '<mask>',
    },
    hasTypes: true,
  },
];

const words = (list: string): readonly string[] => list.trim().split(/\s+/);

/** The class of a model type: TOKENIZER_MAPPING_NAMES. Types that are not here have none. */
const CLASS_OF_TYPE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    BertTokenizer: `bert distilbert electra convbert nomic_bert squeezebert megatron-bert layoutlm ernie nezha retribert align
      bros visual_bert chinese_clip blip`,
    MobileBertTokenizer: 'mobilebert',
    DPRQuestionEncoderTokenizer: 'dpr',
    MPNetTokenizer: 'mpnet',
    RobertaTokenizer: `roberta roberta-prelayernorm bart longformer data2vec-text ibert mra mega lilt clap bridgetower`,
    LEDTokenizer: 'led',
    BartTokenizer: 'florence2',
    XLMRobertaTokenizer: 'xlm-roberta xmod gte jina_embeddings_v3 trocr metaclip_2',
    CamembertTokenizer: 'camembert',
    AlbertTokenizer: 'albert yoso',
    T5Tokenizer: 't5 mt5 switch_transformers musicgen',
    DebertaTokenizer: 'deberta',
    DebertaV2Tokenizer: 'deberta-v2',
    GemmaTokenizer: 'gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text t5gemma recurrent_gemma',
    Qwen2Tokenizer: 'qwen2 qwen3 qwen2_moe qwen3_moe qwen2_vl qwen2_5_vl qwen3_vl qwen3_next colqwen2',
    Qwen3_5Tokenizer: 'qwen3_5 qwen3_5_text qwen3_5_moe qwen3_5_moe_text',
    GPT2Tokenizer: 'gpt2 gpt_neo gptj opt phi codegen starcoder2',
    GPTNeoXTokenizer: 'gpt_neox olmo olmoe mpt mamba',
    CLIPTokenizer: 'clip',
    BarthezTokenizer: 'barthez',
    BigBirdTokenizer: 'big_bird',
    FNetTokenizer: 'fnet',
    FunnelTokenizer: 'funnel',
    XLNetTokenizer: 'xlnet',
    RemBertTokenizer: 'rembert',
    MBartTokenizer: 'mbart',
    NllbTokenizer: 'nllb',
    HerbertTokenizer: 'herbert',
    LukeTokenizer: 'luke',
    [GENERIC]: `modernbert modernbert-decoder mistral mixtral ministral umt5 xlm-roberta-xl nystromformer granite stablelm olmo2
      persimmon phi3 deepseek_v2 deepseek_v3 jamba internlm2 minicpmv nemotron ernie4_5`,
  }).flatMap(([name, types]) => words(types).map(type => [type, name] as const)),
);

/** Types that transformers knows without a class of their own. */
const TYPES_WITHOUT_CLASS: ReadonlySet<string> = new Set(
  words('llama llama4 eurobert longt5 falcon bloom gpt_oss smollm3 exaone4 gemma4 lfm2 t5gemma2 bamba'),
);

/** Whatever class such a model names, it gets that of its type: MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS. */
const DISTRUSTED_TYPES: ReadonlySet<string> = new Set(
  words('qwen2 qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen4_exp hyperclovax_vision_v2'),
);

/** Names that transformers knows, and what it makes of them where that has another name. All others are unknown to it. */
const KNOWN_CLASSES: ReadonlyMap<string, string> = new Map([
  ...words('ElectraTokenizer MobileBertTokenizer SqueezeBertTokenizer LayoutLMTokenizer LxmertTokenizer').map(
    name => [name, 'BertTokenizer'] as const,
  ),
  ...words('BartTokenizer LongformerTokenizer LEDTokenizer MvpTokenizer').map(
    name => [name, 'RobertaTokenizer'] as const,
  ),
  ...words(
    `BertTokenizer DistilBertTokenizer DPRQuestionEncoderTokenizer DPRContextEncoderTokenizer ConvBertTokenizer RobertaTokenizer
     FNetTokenizer MPNetTokenizer XLMRobertaTokenizer T5Tokenizer AlbertTokenizer CamembertTokenizer BarthezTokenizer
     DebertaTokenizer DebertaV2Tokenizer LlamaTokenizer CodeLlamaTokenizer GemmaTokenizer Qwen2Tokenizer Qwen3_5Tokenizer
     GPT2Tokenizer GPTNeoXTokenizer CLIPTokenizer CodeGenTokenizer CohereTokenizer BigBirdTokenizer XLNetTokenizer
     FunnelTokenizer RemBertTokenizer MBartTokenizer NllbTokenizer HerbertTokenizer PegasusTokenizer LukeTokenizer
     XGLMTokenizer`,
  ).map(name => [name, name] as const),
  // Not of the library `tokenizers`: they read vocabulary files of their own.
  ...words(
    `BertJapaneseTokenizer BertweetTokenizer PhobertTokenizer EsmTokenizer SiglipTokenizer MarianTokenizer M2M100Tokenizer
     ByT5Tokenizer`,
  ).map(name => [name, name] as const),
]);

/** Names under which the generic class goes, without the suffix Fast. */
const GENERIC_NAMES: ReadonlySet<string> = new Set([GENERIC, 'PreTrainedTokenizer', 'PythonBackend', 'BloomTokenizer']);

/**
 * @returns the name of the class that transformers 5.18.0 makes
 * @throws E_TOKENIZER where it fails to load the directory
 */
export function chooseClass(
  evidence: ClassEvidence,
  files: { readonly config: string; readonly model: string },
): string {
  // An empty string counts as absent.
  const named = evidence.named || undefined;
  const namedByModel = evidence.namedByModel || undefined;
  const { modelType = '', hasCode = false } = evidence;
  const own = CLASS_OF_TYPE.get(modelType);
  const hub = plain(named ?? namedByModel);

  if (hasCode && !isKnown(hub) && own === undefined && !TYPES_WITHOUT_CLASS.has(modelType)) {
    throw new GlassbertError('E_TOKENIZER', '"auto_map" names a tokenizer that is code, which is not run', {
      file: files.config,
      expected: 'a "tokenizer_class" that transformers knows',
      found: quote(hub ?? 'none'),
    });
  }
  if (hub !== undefined && own !== undefined && own !== hub && !hasCode) {
    if (own === GENERIC) return GENERIC; // 854, 887
    if (DISTRUSTED_TYPES.has(modelType)) return built(own); // 864
    return KNOWN_CLASSES.get(hub) ?? GENERIC; // 868-887
  }
  if (named !== undefined) return built(plain(named)); // 950-960
  if (namedByModel !== undefined) {
    const name = plain(namedByModel) as string;
    if (isKnown(name) && namedByModel !== 'PreTrainedTokenizer') return built(name); // 962-966
    throw new GlassbertError('E_TOKENIZER', 'the "tokenizer_class" is none that transformers knows', {
      file: files.model,
      found: quote(namedByModel),
      hint: 'Python cannot load this tokenizer either: name its class in tokenizer_config.json.',
    });
  }
  return built(own); // 983
}

/**
 * @param file - that the tokenizer is read from
 * @throws E_TOKENIZER for a class that is not made here yet
 */
export function classNamed(name: string, file: string): TokenizerClass {
  const found = CLASSES.find(row => row.name === name);
  if (found !== undefined) return found;
  throw new GlassbertError('E_TOKENIZER', `Python tokenizes by the class ${name} here, which is not supported`, {
    file,
    expected: CLASSES.map(row => row.name).join(', '),
    found: quote(name),
    hint: '"tokenizer_class" of tokenizer_config.json says so, or "tokenizer_class" or "model_type" of config.json.',
  });
}

/** The class under its own name, without the suffix of transformers 4. */
export function plain(name: string): string;
export function plain(name: string | undefined): string | undefined;
export function plain(name: string | undefined): string | undefined {
  return name?.replace(/Fast$/, '');
}

/** What is made of a name: the generic class of an unknown one. */
export function built(name: string | undefined): string {
  return KNOWN_CLASSES.get(name ?? '') ?? GENERIC;
}

function isKnown(name: string | undefined): boolean {
  return name !== undefined && (KNOWN_CLASSES.has(name) || GENERIC_NAMES.has(name));
}
