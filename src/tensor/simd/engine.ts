/**
 * What the JavaScript engine can do, found out by doing it, since names prove little: without a compiler (`node --jitless`)
 * there is no WebAssembly at all; under a content security policy (CSP) `WebAssembly.validate` returns true and `new Module`
 * throws; and some engines have no memory that threads can share.
 */
import { GlassbertError } from '../../errors.ts';
import { assemble, type FunctionCode } from './assembler.ts';

export const PAGE = 65536;
export const MAX_PAGES = 65536; // 4 GiB, all that 32-bit addresses reach

/** 64 MB: a model does not fit into less. */
const MIN_PAGES = 2 ** 10;

export type Exports = Record<string, (...operands: number[]) => void>;

/** Whether threads can work in one memory here: sharing its bytes, and waiting for one another by Atomics. */
export function sharesMemory(): boolean {
  return typeof SharedArrayBuffer === 'function' && typeof Atomics === 'object';
}

interface Started {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly run: Exports;
}

/** Instantiates the functions over a memory of their own, of so many pages; null where this engine does not run them. */
export function start(functions: ReadonlyMap<string, FunctionCode>, pages = 1): Started | null {
  const shared = sharesMemory();
  try {
    const module = new WebAssembly.Module(assemble(functions, { initial: 1, maximum: MAX_PAGES, shared }));
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    return { module, memory, run: new WebAssembly.Instance(module, { env: { memory } }).exports as Exports };
  } catch {
    return null;
  }
}

/**
 * A memory for kernels, and how large it may become: the most that the engine gives. A shared memory grows while arrays lie in
 * it. Growing any other memory, even by nothing, detaches its arrays, so it has its full size from the start; pages that are
 * never touched cost nothing but addresses.
 *
 * @throws E_MEMORY
 */
export function newMemory(): { readonly memory: WebAssembly.Memory; readonly limit: number } {
  const shared = sharesMemory();
  for (let pages = MAX_PAGES; ; pages /= 2) {
    try {
      const memory = new WebAssembly.Memory({ initial: shared ? 1 : pages, maximum: pages, shared });
      return { memory, limit: pages * PAGE };
    } catch (cause) {
      if (pages <= MIN_PAGES) throw outOfMemory(pages * PAGE, cause);
    }
  }
}

export function outOfMemory(bytes: number, cause?: unknown): GlassbertError {
  return new GlassbertError('E_MEMORY', 'there is not enough memory', {
    found: `${bytes} bytes more were needed`,
    hint: 'Smaller batches, shorter texts or fewer threads need less.',
    cause,
  });
}
