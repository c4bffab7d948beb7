/**
 * A small assembler for WebAssembly: enough of the binary format to write the fast kernels, and no more. What comes out is
 * a module as `new WebAssembly.Module` takes it: there is no .wasm file in the repository and no build step, and what runs
 * is what stands in these pages.
 *
 * WebAssembly Core Specification 3.0, section 5 (binary format); threads and relaxed SIMD by their opcode tables there.
 *
 * Code is bytes. An instruction is a function from the code of its operands to the code of its result, so that kernels are
 * written as expressions and unrolled by ordinary loops:
 *
 *   f.set(sum, f32x4.add(f.get(sum), f32x4.mul(v128.load(x), v128.load(w))))
 *
 * Types are checked by the engine when the module is compiled, not here.
 */

/** Bytes, in as many layers of arrays as there are layers of operands; flattened once, when it is written. */
export type Code = readonly (number | Code)[];

type Bytes = readonly number[];
export type Type = 'i32' | 'f32' | 'f64' | 'v128';

/** A local variable of a function, parameters first. */
export interface Local {
  readonly index: number;
  readonly type: Type;
}

const TYPE: Readonly<Record<Type, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Unsigned LEB128. */
function u32(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/** Signed LEB128. */
function s32(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value | 0;
  for (; rest < -0x40 || rest >= 0x40; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest & 0x7f];
}

function f32Bytes(value: number): Bytes {
  return [...new Uint8Array(Float32Array.of(value).buffer)];
}

/** Operands in their order, then the instruction. */
const op =
  (...instruction: number[]) =>
  (...operands: Code[]): Code => [...operands, ...instruction];

/** SIMD instructions have a prefix and a number. */
const simd = (number: number) => op(0xfd, ...u32(number));

/** A load or store of 2^align bytes at address + offset. Addresses need not be aligned; the hint says what is usual. */
const memory =
  (instruction: Bytes, align: number) =>
  (address: Code, offset = 0, ...value: Code[]): Code => [
    address,
    ...value,
    ...instruction,
    ...u32(align),
    ...u32(offset),
  ];

export const i32 = {
  const: (value: number): Code => [0x41, ...s32(value)],
  add: op(0x6a),
  sub: op(0x6b),
  mul: op(0x6c),
  shl: op(0x74),
  and: op(0x71),
  ltS: op(0x48),
  ltU: op(0x49),
  store: memory([0x36], 2),
};

export const f32 = {
  const: (value: number): Code => [0x43, ...f32Bytes(value)],
  load: memory([0x2a], 2),
  store: memory([0x38], 2),
  add: op(0x92),
  sub: op(0x93),
  div: op(0x95),
  max: op(0x97),
  min: op(0x96),
};

export const v128 = {
  load: memory([0xfd, 0], 4),
  store: memory([0xfd, 11], 4),
  load32Splat: memory([0xfd, 9], 2),
  load64Zero: memory([0xfd, 93], 3),
  /** Stores the first of the two halves. */
  store64Low: (address: Code, value: Code, offset = 0): Code => [address, value, 0xfd, 91, 3, ...u32(offset), 0],
  const: (bytes: Code): Code => [0xfd, 12, ...bytes],
  or: simd(80),
  /** Bits of a where c has ones, of b where it has zeros. */
  bitselect: simd(82),
  /** Eight bytes, widened to i16 with their sign. */
  load8x8S: memory([0xfd, 1], 3),
};

export const f64 = {
  add: op(0xa0),
  div: op(0xa3),
  sqrt: op(0x9f),
  const: (value: number): Code => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
  convertI32S: op(0xb7),
};

export const f64x2 = {
  splat: simd(20),
  extractLane: (lane: number, vector: Code): Code => [vector, 0xfd, 33, lane],
  add: simd(240),
  sub: simd(241),
  mul: simd(242),
  /** The first two f32, widened. */
  promoteLowF32x4: simd(95),
  /** Two f32 and two zeros. */
  demoteZero: simd(94),
};

export const i32x4 = {
  add: simd(174),
  shl: simd(171),
  const: (value: number): Code =>
    v128.const(Array.from({ length: 4 }, () => [...new Uint8Array(Int32Array.of(value).buffer)]).flat()),
  sub: simd(177),
  /** Products of i16, two neighbours summed. */
  dotI16x8S: simd(186),
  /** a b + c: products of bytes, a signed and b of 0 .. 127, four neighbours and an i32 summed. */
  relaxedDotI8x16I7x16AddS: simd(275),
};

export const i8x16 = {
  /** Elements of 32 bits chosen from two vectors: 0 .. 3 of the first, 4 .. 7 of the second. */
  shuffle32: (a: Code, b: Code, elements: readonly number[]): Code => [
    a,
    b,
    0xfd,
    13,
    elements.flatMap(element => [0, 1, 2, 3].map(byte => 4 * element + byte)),
  ],
  /** Two vectors of i16 to one of i8, cut off at -128 and 127. */
  narrowI16x8S: simd(101),
};

export const i16x8 = {
  /** Products of bytes, a signed and b of 0 .. 127, two neighbours summed. */
  relaxedDotI8x16I7x16S: simd(274),
  narrowI32x4S: simd(133),
  extendLowI8x16S: simd(135),
  extendHighI8x16S: simd(136),
};

export const f32x4 = {
  splat: simd(19),
  extractLane: (lane: number, vector: Code): Code => [vector, 0xfd, 31, lane],
  const: (value: number): Code => v128.const(Array.from({ length: 4 }, () => f32Bytes(value)).flat()),
  add: simd(228),
  sub: simd(229),
  mul: simd(230),
  div: simd(231),
  relaxedMadd: simd(261), // a * b + c, fused where the processor fuses
  convertI32x4S: simd(250),
  /** b < a ? b : a; of two numbers the smaller, one instruction where min is seven. */
  pmin: simd(234),
  /** a < b ? b : a */
  pmax: simd(235),
};

/** Appends the bytes of all layers, in their order. */
function write(bytes: number[], code: Code): void {
  for (const part of code) {
    if (typeof part === 'number') bytes.push(part);
    else write(bytes, part);
  }
}

/** The code of one function under construction. */
export class FunctionCode {
  readonly parameters: readonly Local[];
  private readonly locals: Local[];
  private readonly prologue: number[] = [];
  private readonly constants = new Map<string, Local>();
  private readonly code: number[] = [];

  constructor(parameters: readonly Type[]) {
    this.parameters = parameters.map((type, index) => ({ index, type }));
    this.locals = [...this.parameters];
  }

  local(type: Type): Local {
    const local = { index: this.locals.length, type };
    this.locals.push(local);
    return local;
  }

  localsOf(type: Type, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** A vector held in a local from the start: V8 would build the constant anew at every use. */
  constant(vector: Code): Code {
    const key = vector.join();
    let local = this.constants.get(key);
    if (local === undefined) {
      local = this.local('v128');
      this.constants.set(key, local);
      write(this.prologue, [vector, 0x21, ...u32(local.index)]);
    }
    return this.get(local);
  }

  /** Four times the same number. */
  fourTimes(value: number): Code {
    return this.constant(f32x4.const(value));
  }

  get(local: Local): Code {
    return [0x20, ...u32(local.index)];
  }

  set(local: Local, value: Code): void {
    this.emit([value, 0x21, ...u32(local.index)]);
  }

  emit(code: Code): void {
    write(this.code, code);
  }

  /** for (counter = from; counter < to; counter += step) body(); `to` is evaluated each time. */
  for(counter: Local, from: Code, to: Code, step: number, body: () => void): void {
    this.set(counter, from);
    this.while(
      () => i32.ltS(this.get(counter), to),
      () => {
        body();
        this.set(counter, i32.add(this.get(counter), i32.const(step)));
      },
    );
  }

  /** while (condition) body() */
  while(condition: () => Code, body: () => void): void {
    this.emit([0x02, 0x40, 0x03, 0x40]); // block, loop, without results
    this.emit([condition(), 0x45, 0x0d, 1]); // i32.eqz, br_if to the end of the block
    body();
    this.emit([0x0c, 0, 0x0b, 0x0b]); // br to the loop, end, end
  }

  if(condition: Code, then: () => void): void {
    this.emit([condition, 0x04, 0x40]);
    then();
    this.emit([0x0b]);
  }

  bytes(): Bytes {
    const declared = this.locals.slice(this.parameters.length);
    const locals = [...u32(declared.length), ...declared.flatMap(({ type }) => [1, TYPE[type]])];
    const body = [...locals, ...this.prologue, ...this.code, 0x0b];
    return [...u32(body.length), ...body];
  }
}

const section = (id: number, content: Bytes): Bytes => [id, ...u32(content.length), ...content];
const vector = (items: readonly Bytes[]): Bytes => [...u32(items.length), ...items.flat()];
const name = (text: string): Bytes => {
  const bytes = new TextEncoder().encode(text);
  return [...u32(bytes.length), ...bytes];
};

/**
 * A module of functions without results, over one imported memory, "memory" of the module "env".
 *
 * @param maximum - pages of 64 KiB; what the memory was made with
 */
export function assemble(
  functions: ReadonlyMap<string, FunctionCode>,
  pages: { initial: number; maximum: number; shared: boolean },
): Uint8Array {
  const all = [...functions];
  const types = all.map(([, f]) => [0x60, ...vector(f.parameters.map(({ type }) => [TYPE[type]])), 0]);
  const limits = [pages.shared ? 0x03 : 0x01, ...u32(pages.initial), ...u32(pages.maximum)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...name('env'), ...name('memory'), 0x02, ...limits]])),
    ...section(3, vector(all.map((_, i) => u32(i)))),
    ...section(7, vector(all.map(([text], i) => [...name(text), 0x00, ...u32(i)]))),
    ...section(10, vector(all.map(([, f]) => f.bytes()))),
  ]);
}
