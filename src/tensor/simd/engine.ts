/**
 * What the engine underneath can do, found out by doing it. A name that is there proves little: without a compiler (`node
 * --jitless`) WebAssembly is no name at all, under a policy of code (CSP) `validate` says yes and `new Module` throws, and
 * some have no memory that threads could share.
 */
import { GlassbertError } from '../../errors.ts';
import { assemble, type FunctionCode } from './assembler.ts';

export const PAGE = 65536;
export const MAX_PAGES = 65536; // 4 GiB, all that 32-bit addresses reach

/** Less holds no model. */
const MIN_PAGES = 2 ** 10;

export type Exports = Record<string, (...operands: number[]) => void>;

/** Whether threads can work in one memory here: they share its bytes, and wait for each other by Atomics. */
export function sharesMemory(): boolean {
  return typeof SharedArrayBuffer === 'function' && typeof Atomics === 'object';
}

interface Started {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly run: Exports;
}

/** The functions in a memory of their own, of so many pages; null where this engine does not run them. */
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
 * A memory for kernels, and how large it may become: as large as the engine gives. One that is shared grows under the arrays
 * in it; growing any other, even by nothing, takes them away: it has its size from the start. Pages that nobody touches cost nothing
 * but addresses.
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
