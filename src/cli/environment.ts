/** A variable of the environment; undefined also where the runtime refuses to tell it, as Deno without `--allow-env`. */
export function environment(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}
