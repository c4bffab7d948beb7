/**
 * safetensors files. What is accepted tiles the file, names what JSON.parse finds in its header, can be read, and is the
 * same file again when it is written and read once more.
 */
import { DTYPE_BITS, isFloatDtype } from '../../src/io/dtypes.ts';
import { parseSafetensors, serializeSafetensors, type TensorToWrite } from '../../src/io/safetensors.ts';
import type { Mutator } from '../mutator.ts';
import { claim, magnitude, outcome } from '../target.ts';

export const largest = 4096;

// biome-ignore format: a table
export const dictionary = [
  '"dtype":', '"shape":', '"data_offsets":', '"__metadata__":', '"F32"', '"F16"', '"BF16"', '"F64"', '"I64"', '"U8"', '"BOOL"', '"F4"',
  '"F6_E2M3"', '"C64"', '{"format":"pt"}', '"t":', '"\\u0074":', '[0,4]', '[1]', '[]', '[0]', '[4294967296,4294967296]',
  '"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}', ',"e":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}',
  'version https://git-lfs', '<!doctype html', 'PK', 'GGUF', '\x1f\x8b', '\0', ' ', '\ufeff',
];

const LENGTH = 8;

export function fuzz(data: Uint8Array): string {
  return outcome(['E_SAFETENSORS', 'E_WEIGHTS_PLACEHOLDER'], () => {
    const file = parseSafetensors(data, 'x.safetensors');
    const length = Number(new DataView(data.buffer, data.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(data.subarray(LENGTH, LENGTH + length)));
    const { __metadata__: metadata = {}, ...tensors } = header;
    claim(JSON.stringify(Object.fromEntries(file.metadata)) === JSON.stringify(metadata), 'another metadata');
    claim(Object.keys(tensors).length === file.tensors.size, 'another number of tensors');

    let covered = LENGTH + length;
    const dtypes = new Set<string>();
    const again = new Map<string, TensorToWrite>();
    for (const [name, { dtype, shape, begin, end, byteLength }] of file.tensors) {
      claim(begin === covered && end - begin === byteLength, `tensor ${name} leaves a hole`);
      covered = end;
      dtypes.add(dtype);
      const theirs = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
      const offsets = [begin - LENGTH - length, end - LENGTH - length];
      claim(JSON.stringify(theirs?.shape) === JSON.stringify(shape), `another shape of ${name}`);
      claim(JSON.stringify(theirs?.data_offsets) === JSON.stringify(offsets), `another place of ${name}`);
      const size = shape.reduce((product, size) => product * size, 1);
      claim((size * DTYPE_BITS[dtype]) / 8 === byteLength, `${name} has the wrong size`);
      const values = file.read(name);
      if (isFloatDtype(dtype)) claim(values.length === size, `${name} is read in the wrong length`);
      if (isFloatDtype(dtype)) claim(file.readFloats(name, 'f64').length === size, `${name} is widened wrongly`);
      again.set(name, { dtype, shape, data: data.subarray(begin, end) });
    }
    claim(covered === data.length, 'bytes are left over');

    const back = parseSafetensors(serializeSafetensors(again, metadata));
    claim(back.tensors.size === again.size, 'written, it holds another number of tensors');
    for (const [name, { dtype, shape }] of again) {
      const info = back.tensors.get(name);
      claim(info?.dtype === dtype && `${info.shape}` === `${shape}`, `written, ${name} is another tensor`);
    }
    return `accepted ${magnitude(file.tensors.size)} ${[...dtypes].sort()} ${file.metadata.size > 0}`;
  });
}

/** Changes the header or the data, then says the right length of the header, and mostly makes the data as long as it says. */
export function reshape(data: Uint8Array, other: Uint8Array, mutator: Mutator): Uint8Array {
  const { integer } = mutator.random;
  const [header, values] = parts(data);
  const [theirHeader, theirValues] = parts(other);
  const newHeader = integer(4) === 0 ? header : mutator.mutate(header, theirHeader);
  let newValues = integer(4) === 0 ? mutator.mutate(values, theirValues) : values;
  if (integer(4) > 0) {
    const ends = Array.from(
      Buffer.from(newHeader)
        .toString('latin1')
        .matchAll(/,\s*([0-9]{1,4})\s*\]\s*\}/g),
      match => Number(match[1]),
    );
    const wanted = new Uint8Array(Math.max(0, ...ends));
    wanted.set(newValues.subarray(0, wanted.length));
    newValues = wanted;
  }
  const length = new Uint8Array(LENGTH);
  new DataView(length.buffer).setBigUint64(0, BigInt(newHeader.length), true);
  return Buffer.concat([length, newHeader, newValues]);
}

function parts(data: Uint8Array): [header: Uint8Array, values: Uint8Array] {
  const length = data.length < LENGTH ? 0n : new DataView(data.buffer, data.byteOffset).getBigUint64(0, true);
  const end = length > data.length - LENGTH ? data.length : LENGTH + Number(length);
  return [data.subarray(LENGTH, end), data.subarray(end)];
}
