/** A small seeded generator (mulberry32, public domain), so that a random test fails the same way twice. */
export function random(seed: number) {
  let state = seed >>> 0;
  /** A number in [0, 1). */
  const real = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (below: number): number => Math.floor(real() * below);
  const pick = <Item>(items: readonly Item[]): Item => items[integer(items.length)] as Item;
  return { real, integer, pick };
}
