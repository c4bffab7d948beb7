/**
 * Files that come with the program and lie beside its modules: the scripts of threads, the model that ships with the package.
 * A bundler puts a program into one file elsewhere, and may leave it no address at all (`import.meta.url` is undefined in
 * CommonJS); then they are not there. Nothing asks while modules are imported.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';

/**
 * @param module - `import.meta.url` of the caller
 * @param path - from there; a name, not a literal `new URL(...)` at the caller, which bundlers take for an asset of theirs
 * @returns null where nothing is there, or the module has no address or is not of a disk
 */
export function urlBeside(module: string | undefined, path: string): URL | null {
  const url = module?.startsWith('file:') ? new URL(path, module) : null;
  return url !== null && existsSync(url) ? url : null;
}

/**
 * The script of a thread, beside the module that starts it. Beside a bundled program may lie a thread.js that is somebody
 * else's: it would be run, and its answer waited for without end. So the script must hold the words `glassbert:NAME`, which
 * no bundler and no minifier takes out.
 *
 * @param name - without its ending, which is the caller's: .ts in the sources, .js where they are built
 * @returns null where there is no such script
 */
export function scriptBeside(module: string | undefined, name: string): URL | null {
  const url = urlBeside(module, `./${name}${module?.endsWith('.ts') ? '.ts' : '.js'}`);
  return url !== null && isOurs(url, `glassbert:${name}`) ? url : null;
}

function isOurs(url: URL, words: string): boolean {
  try {
    return statSync(url).isFile() && readFileSync(url, 'latin1').includes(words);
  } catch {
    return false; // it is not there, or not for us
  }
}
