/**
 * The longest of many strings at every place of a text, in time linear in the text whatever the strings: Aho and Corasick 1975,
 * of strings and text read backwards. At a place, the strings that begin there are then those that have just been read, the
 * longest of them is a property of the state, and no place is looked at again.
 *
 * What begins in a block of the text ends not far behind it, so a block is read at a time, from its end, in memory of one size.
 */

const BLOCK = 1 << 16;

/** Nodes of the tree of prefixes: 14 bytes each. */
export const MAX_NODES = 4_000_000;

export class LongestTable {
  // The nodes lie in the order of their depth, those of one parent side by side and in the order of their units.
  private readonly unit: Uint16Array;
  private readonly child: Int32Array;
  /** The node of the longest end of this one's string that is a node as well. */
  private readonly shorter: Int32Array;
  /** Of the strings that end here, the longest. */
  private readonly longest: Int32Array;
  private readonly reach: number;

  /** @param strings - all different, none empty; at most MAX_NODES units */
  constructor(strings: readonly string[]) {
    const units = strings.reduce((sum, { length }) => sum + length, 1);
    this.unit = new Uint16Array(units);
    this.child = new Int32Array(units + 1);
    this.shorter = new Int32Array(units);
    this.longest = new Int32Array(units).fill(-1);
    this.reach = strings.reduce((most, { length }) => Math.max(most, length), 0);
    this.build(strings);
  }

  private build(strings: readonly string[]): void {
    const backwards = strings
      .map((string, n) => [string.split('').reverse().join(''), n] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    // Of every node of one depth, the strings that begin as it does: from where, and to where.
    let level: (readonly [node: number, from: number, to: number])[] = [[0, 0, backwards.length]];
    let nodes = 1;
    for (let depth = 0; level.length > 0; depth++) {
      const next: typeof level = [];
      for (const [node, begin, to] of level) {
        let from = begin;
        this.child[node] = nodes;
        while (from < to && (backwards[from] as readonly [string, number])[0].length === depth) from++;
        while (from < to) {
          const unit = (backwards[from] as readonly [string, number])[0].charCodeAt(depth);
          let end = from + 1;
          while (end < to && (backwards[end] as readonly [string, number])[0].charCodeAt(depth) === unit) end++;
          const [string, n] = backwards[from] as readonly [string, number];
          const shorter = node === 0 ? 0 : this.step(this.shorter[node] as number, unit);
          this.unit[nodes] = unit;
          this.shorter[nodes] = shorter;
          this.longest[nodes] = string.length === depth + 1 ? n : (this.longest[shorter] as number);
          next.push([nodes++, from, end]);
          from = end;
        }
        this.child[node + 1] = nodes;
      }
      level = next;
    }
    this.child.fill(nodes, nodes);
  }

  /** The node of the longest end of what was read, this unit included. */
  private step(node: number, unit: number): number {
    for (;;) {
      let [low, high] = [this.child[node] as number, this.child[node + 1] as number];
      const end = high;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((this.unit[middle] as number) < unit) low = middle + 1;
        else high = middle;
      }
      if (low < end && this.unit[low] === unit) return low;
      if (node === 0) return 0;
      node = this.shorter[node] as number;
    }
  }

  /** Fills `found` with the number of the longest string at each place of the text, or -1. */
  read(text: Uint16Array, from: number, to: number, found: Int32Array): void {
    let node = 0;
    for (let i = Math.min(to + this.reach, text.length) - 1; i >= from; i--) {
      node = this.step(node, text[i] as number);
      if (i < to) found[i - from] = this.longest[node] as number;
    }
  }
}

/** Goes through one text. */
export class LongestSearch {
  private readonly table: LongestTable;
  private readonly text: Uint16Array;
  private from = 0;
  private to = 0;
  private readonly found = new Int32Array(BLOCK);

  constructor(table: LongestTable, text: Uint16Array) {
    this.table = table;
    this.text = text;
  }

  /** The next place from `i` on at which one of the strings stands; the end of the text if there is none. */
  next(i: number): number {
    for (; i < this.text.length; i++) {
      if (i >= this.to) {
        [this.from, this.to] = [i, Math.min(i + BLOCK, this.text.length)];
        this.table.read(this.text, this.from, this.to, this.found);
      }
      if ((this.found[i - this.from] as number) >= 0) return i;
    }
    return i;
  }

  /** @returns the number of the longest string that stands at the place that `next` gave */
  at(i: number): number {
    return this.found[i - this.from] as number;
  }
}
