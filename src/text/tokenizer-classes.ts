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
  /** Whether `do_lower_case` is taken and dropped by its constructor. */
  readonly alwaysLower?: boolean;
  /** Whether `clean_text` is an argument. */
  readonly takesCleanText?: boolean;
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

/** Not the classes of the same names without Fast: models/dpr/tokenization_dpr_fast.py. */
const KEEPING_FAST: ReadonlySet<string> = new Set([
  'DPRQuestionEncoderTokenizerFast',
  'DPRContextEncoderTokenizerFast',
]);

// models/X/tokenization_X.py: bert 104-135, mpnet 105-163, dpr, fnet (of albert), funnel. A class without a constructor of its
// own keeps the file (tokenization_utils_tokenizers.py, 113-119), where it is one of BERT's but for the frame, which
// BertTokenizer's constructor makes.
const CLASSES: readonly TokenizerClass[] = [
  { name: GENERIC, keepsFile: true, frame: 'file', specials: {}, hasTypes: false },
  BERT,
  { ...BERT, name: 'DistilBertTokenizer', hasTypes: false },
  { ...BERT, name: 'DPRQuestionEncoderTokenizer', alwaysLower: true },
  { ...BERT, name: 'DPRContextEncoderTokenizer', alwaysLower: true },
  ...['ConvBertTokenizer', ...KEEPING_FAST].map(name => ({ ...BERT, name, keepsFile: true })),
  {
    name: 'FNetTokenizer',
    keepsFile: true,
    frame: 'file',
    specials: {
      bos_token: '[CLS]',
      eos_token: '[SEP]',
      unk_token: '<unk>',
      sep_token: '[SEP]',
      pad_token: '<pad>',
      cls_token: '[CLS]',
      mask_token: '[MASK]',
    },
    hasTypes: true,
  },
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
    takesCleanText: true,
    hasTypes: true,
  },
];

const words = (list: string): readonly string[] => list.trim().split(/\s+/);

/** The class of a model type: TOKENIZER_MAPPING_NAMES. Types that are not here have none. */
const CLASS_OF_TYPE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    BertTokenizer: `align bark bert blip bros chinese_clip convbert distilbert electra ernie flava git grounding-dino layoutlm megatron-
      bert mm-grounding-dino nezha nomic_bert qdqbert realm retribert squeezebert tvp vilt visual_bert`,
    AlbertTokenizer: 'albert yoso',
    BartTokenizer: 'florence2',
    BarthezTokenizer: 'barthez',
    BartphoTokenizer: 'bartpho',
    BertGenerationTokenizer: 'bert-generation',
    BertJapaneseTokenizer: 'bert-japanese',
    BertweetTokenizer: 'bertweet',
    BigBirdTokenizer: 'big_bird',
    BioGptTokenizer: 'biogpt',
    BlenderbotSmallTokenizer: 'blenderbot-small',
    BlenderbotTokenizer: 'blenderbot',
    ByT5Tokenizer: 'byt5',
    CLIPTokenizer: 'aimv2 clip clipseg groupvit omdet-turbo oneformer owlv2 owlvit sam3 sam3_video xclip',
    CTRLTokenizer: 'ctrl',
    CamembertTokenizer: 'camembert',
    CanineTokenizer: 'canine',
    ClvpTokenizer: 'clvp',
    CodeLlamaTokenizer: 'code_llama',
    CohereTokenizer: 'aya_vision cohere cohere2',
    CpmAntTokenizer: 'cpmant',
    CpmTokenizer: 'cpm',
    DPRQuestionEncoderTokenizer: 'dpr',
    DebertaTokenizer: 'deberta',
    DebertaV2Tokenizer: 'deberta-v2',
    DiaTokenizer: 'dia',
    EsmTokenizer: 'esm',
    EsmcTokenizer: 'esmc esmfold2',
    FNetTokenizer: 'fnet',
    FSMTTokenizer: 'fsmt',
    FastSpeech2ConformerTokenizer: 'fastspeech2_conformer',
    FlaubertTokenizer: 'flaubert',
    FunnelTokenizer: 'funnel',
    GPT2Tokenizer: `blip-2 codegen dbrx emu3 gpt2 gpt_neo gptj hyperclovax_vision_v2 instructblip instructblipvideo jais2 opt phi
      starcoder2`,
    GPTNeoXJapaneseTokenizer: 'gpt_neox_japanese',
    GPTNeoXTokenizer: 'falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv xlstm',
    GPTSw3Tokenizer: 'gpt-sw3',
    GemmaTokenizer: `diffusion_gemma gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma shieldgemma2 t5gemma zaya`,
    HerbertTokenizer: 'herbert',
    LEDTokenizer: 'led',
    LasrTokenizer: 'lasr_ctc lasr_encoder',
    LayoutLMv2Tokenizer: 'layoutlmv2',
    LayoutLMv3Tokenizer: 'layoutlmv3',
    LayoutXLMTokenizer: 'layoutxlm',
    LlamaTokenizer: 'idefics idefics2',
    LukeTokenizer: 'luke',
    LxmertTokenizer: 'lxmert',
    M2M100Tokenizer: 'm2m_100',
    MBart50Tokenizer: 'mbart50',
    MBartTokenizer: 'mbart',
    MLukeTokenizer: 'mluke',
    MPNetTokenizer: 'mpnet',
    MarianTokenizer: 'marian',
    MarkupLMTokenizer: 'markuplm',
    MgpstrTokenizer: 'mgp-str',
    MobileBertTokenizer: 'mobilebert',
    MvpTokenizer: 'mvp',
    MyT5Tokenizer: 'myt5',
    NllbTokenizer: 'nllb nllb-moe',
    NougatTokenizer: 'nougat pp_formulanet',
    OpenAIGPTTokenizer: 'openai-gpt',
    PLBartTokenizer: 'plbart',
    ParakeetTokenizer: `granite_speech5_ctc nemotron3_5_asr nemotron_asr_streaming parakeet_ctc parakeet_rnnt parakeet_tdt`,
    PegasusTokenizer: 'pegasus',
    PerceiverTokenizer: 'perceiver',
    PhobertTokenizer: 'phobert',
    ProphetNetTokenizer: 'prophetnet',
    Qwen2Tokenizer: `audioflamingo3 colqwen2 cosmos3_omni fun_asr_nano hunyuan_vl internvl lighton_ocr ovis2 qianfan_ocr qwen2 qwen2_5_omni
      qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_asr qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe
      vibevoice`,
    Qwen3_5Tokenizer: 'qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen4_exp',
    RagTokenizer: 'rag',
    ReformerTokenizer: 'reformer',
    RemBertTokenizer: 'rembert',
    RoCBertTokenizer: 'roc_bert',
    RoFormerTokenizer: 'roformer',
    RobertaTokenizer: `bart bridgetower clap data2vec-text ibert lilt longformer mega mra roberta roberta-prelayernorm`,
    SeamlessM4TTokenizer: 'seamless_m4t seamless_m4t_v2',
    Siglip2Tokenizer: 'siglip2',
    SiglipTokenizer: 'siglip',
    Speech2TextTokenizer: 'speech_to_text',
    SpeechT5Tokenizer: 'speecht5',
    SplinterTokenizer: 'splinter',
    T5Tokenizer: 'mt5 musicgen musicgen_melody switch_transformers t5',
    TapasTokenizer: 'tapas',
    Tipsv2Tokenizer: 'tipsv2',
    UdopTokenizer: 'udop',
    VideoPrismTokenizer: 'videoprism',
    VitsTokenizer: 'vits',
    Wav2Vec2CTCTokenizer: 'data2vec-audio hubert unispeech unispeech-sat wav2vec2 wav2vec2-bert wav2vec2-conformer',
    Wav2Vec2PhonemeCTCTokenizer: 'wav2vec2_phoneme',
    WhisperTokenizer: 'whisper',
    XGLMTokenizer: 'xglm',
    XLMRobertaTokenizer: 'gte jina_embeddings_v3 metaclip_2 trocr xlm-roberta xmod',
    XLMTokenizer: 'xlm',
    XLNetTokenizer: 'xlnet',
    [GENERIC]: `arctic aria bigbird_pegasus camembertv2-base canary chameleon chatlm cohere_asr deepseek_ocr deepseek_ocr2 deepseek_v2
      deepseek_v3 deepseek_v32 deepseek_v4 deepseek_vl deepseek_vl_hybrid deepseek_vl_v2 ernie4_5 ernie4_5_moe evolla
      flex_olmo fuyu glm glm4 glm4_moe glm4_moe_lite glm4v glm4v_moe glm_image glmasr got_ocr2 gpt_bigcode granite
      granitemoe granitemoehybrid granitemoeshared h2ovl_chat hyperclovax hyperclovax_vlm internlm2 jamba janus kimi_k25
      kimi_linear kosmos-2 llava llava_next mimo_v2_flash minicpm3 minicpmv minicpmv4_6 minicpmv4_7 minimax_m2 ministral
      ministral3 mistral mistral3 mixtral modernbert modernbert-decoder molmo molmo2 nemotron nvfp4 nystromformer olmo2
      olmo3 olmo_hybrid opencua openvla paddleocr_vl pegasus_x persimmon phi3 phi3_v phimoe pix2struct pixtral smolvlm
      stablelm step3_vl step3p5 umt5 vipllava voxtral voxtral_realtime xlm-roberta-xl`,
  }).flatMap(([name, types]) => words(types).map(type => [type, name] as const)),
);

/** Types of the table that transformers has no configuration for: without a named class they are the generic one's. */
const TYPES_WITHOUT_CONFIG: ReadonlySet<string> = new Set(
  words(
    `arctic barthez bartpho bert-japanese bertweet byt5 camembertv2-base chatlm code_llama cpm deepseek_ocr deepseek_vl_v2
     h2ovl_chat herbert hyperclovax_vlm internlm2 mbart50 mega minicpmv mluke molmo molmo2 myt5 nezha nllb nvfp4 opencua
     openvla phi3_v phobert qdqbert realm retribert step3_vl wav2vec2_phoneme`,
  ),
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
  // Those that are not of the library `tokenizers` read vocabulary files of their own.
  ...words(
    `AlbertTokenizer BarthezTokenizer BartphoTokenizer BertGenerationTokenizer BertJapaneseTokenizer BertTokenizer
     BertweetTokenizer BigBirdTokenizer BioGptTokenizer BlenderbotSmallTokenizer BlenderbotTokenizer ByT5Tokenizer
     CLIPTokenizer CTRLTokenizer CamembertTokenizer CanineTokenizer ClvpTokenizer CodeGenTokenizer CodeLlamaTokenizer
     CohereTokenizer ConvBertTokenizer CpmAntTokenizer CpmTokenizer DPRContextEncoderTokenizer DPRQuestionEncoderTokenizer
     DPRReaderTokenizer DebertaTokenizer DebertaV2Tokenizer DiaTokenizer DistilBertTokenizer EsmTokenizer EsmcTokenizer
     FNetTokenizer FSMTTokenizer FastSpeech2ConformerTokenizer FlaubertTokenizer FunnelTokenizer GPT2Tokenizer
     GPTNeoXJapaneseTokenizer GPTNeoXTokenizer GPTSw3Tokenizer GemmaTokenizer HerbertTokenizer LasrTokenizer
     LayoutLMv2Tokenizer LayoutLMv3Tokenizer LayoutXLMTokenizer LlamaTokenizer LukeTokenizer M2M100Tokenizer
     MBart50Tokenizer MBartTokenizer MLukeTokenizer MPNetTokenizer MarianTokenizer MarkupLMTokenizer MgpstrTokenizer
     MyT5Tokenizer NllbTokenizer NougatTokenizer OpenAIGPTTokenizer PLBartTokenizer ParakeetTokenizer PegasusTokenizer
     PerceiverTokenizer PhobertTokenizer Pop2PianoTokenizer ProphetNetTokenizer Qwen2Tokenizer Qwen3_5Tokenizer
     RagTokenizer ReformerTokenizer RemBertTokenizer RoCBertTokenizer RoFormerTokenizer RobertaTokenizer
     SeamlessM4TTokenizer Siglip2Tokenizer SiglipTokenizer Speech2TextTokenizer SpeechT5Tokenizer SplinterTokenizer
     T5Tokenizer TapasTokenizer Tipsv2Tokenizer UdopTokenizer VideoPrismTokenizer VitsTokenizer Wav2Vec2CTCTokenizer
     Wav2Vec2PhonemeCTCTokenizer WhisperTokenizer XGLMTokenizer XLMRobertaTokenizer XLMTokenizer XLNetTokenizer`,
  ).map(name => [name, name] as const),
]);

/** Names under which the generic class goes, without the suffix Fast. */
const GENERIC_NAMES: ReadonlySet<string> = new Set([GENERIC, 'PreTrainedTokenizer', 'PythonBackend', 'BloomTokenizer']);

/** A class, and the key that decided for it. */
export interface ChosenClass {
  readonly name: string;
  readonly file: string;
  readonly key: 'tokenizer_class' | 'model_type';
}

/**
 * @returns the class that transformers 5.18.0 makes
 * @throws E_TOKENIZER where it fails to load the directory
 */
export function chooseClass(
  { named, namedByModel, modelType = '', hasCode = false }: ClassEvidence,
  files: { readonly config: string; readonly model: string },
): ChosenClass {
  const own = CLASS_OF_TYPE.get(modelType);
  const hasConfig = own !== undefined && !TYPES_WITHOUT_CONFIG.has(modelType);
  const isDistrusted = DISTRUSTED_TYPES.has(modelType);
  const byConfig = { file: files.config, key: 'tokenizer_class' } as const;
  const byModel = { file: files.model, key: 'tokenizer_class' } as const;
  const byType = { file: files.model, key: 'model_type' } as const;
  // An empty name is none where config.json has one, but one that nobody knows where only tokenizer_config.json has it.
  const hub = named || namedByModel;

  if (hasCode && !isKnown(plain(named)) && !hasConfig && !isDistrusted) {
    throw new GlassbertError('E_TOKENIZER', '"auto_map" names a tokenizer that is code, which is not run', {
      file: files.config,
      expected: 'a "tokenizer_class" that transformers knows',
      found: quote(named ?? 'none'),
    });
  }
  if (hub !== undefined && own !== undefined && own !== plain(hub) && !hasCode) {
    if (own === GENERIC) return { name: GENERIC, ...byType }; // 854, 887
    if (isDistrusted) return { name: built(own), ...byType }; // 864
    // The name stands as it is, and of these with Fast there is a class of its own.
    const name = KEEPING_FAST.has(hub) ? hub : built(plain(hub)); // 868-887
    return { name, ...(named ? byConfig : byModel) };
  }
  if (named !== undefined) return { name: built(plain(named)), ...byConfig }; // 950-960
  if (namedByModel) {
    const name = plain(namedByModel);
    if (isKnown(name) && namedByModel !== 'PreTrainedTokenizer') return { name: built(name), ...byModel }; // 962-966
    throw new GlassbertError('E_TOKENIZER', 'the "tokenizer_class" is none that transformers knows', {
      file: files.model,
      found: quote(namedByModel),
      hint: 'Python cannot load this tokenizer either: name its class in tokenizer_config.json.',
    });
  }
  return { name: hasConfig ? built(own) : GENERIC, ...byType }; // 983
}

/** @throws E_TOKENIZER for a class that is not made here yet */
export function classNamed({ name, file, key }: ChosenClass): TokenizerClass {
  const found = CLASSES.find(row => row.name === name);
  if (found !== undefined) return found;
  throw new GlassbertError(
    'E_TOKENIZER',
    `${quote(key)} makes Python tokenize by the class ${name}, which is not supported`,
    { file, expected: CLASSES.map(row => row.name).join(', '), found: quote(name) },
  );
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
