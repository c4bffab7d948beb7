/** A variable of the environment; undefined also where the runtime lets nobody read it, as Deno without `--allow-env`. */
export function environment(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}
