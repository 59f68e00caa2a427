/** The registers behind r10: every constant of the machine's programs, each once. */
import type { LiveMap } from '../maps/live-map.ts';
import { KERNEL_VARIABLE_BASE } from '../memory.ts';
import { type ConstantPool, FIRST_CONSTANT } from './operation.ts';
import { FUNCTION_REGION, KIND, KNOWN, type Provenance, VARIABLE_REGION } from './provenance.ts';
import { MAX_REGISTERS, type RegisterFile } from './registers.ts';

export class Constants implements ConstantPool {
  readonly #maps: readonly LiveMap[];
  readonly #provenance: Provenance;
  readonly #registers = new Map<string, number>();
  readonly #low: number[] = [];
  readonly #high: number[] = [];
  readonly #tag: number[] = [];

  constructor(maps: readonly LiveMap[], provenance: Provenance) {
    this.#maps = maps;
    this.#provenance = provenance;
  }

  number(low: number, high: number): number {
    return this.#register(low, high, KNOWN);
  }

  map(index: number): number {
    return this.#register(this.#maps[index]!.address, 0, this.#provenance.mapRegion(index));
  }

  mapValue(index: number, offset: number): number {
    const map = this.#maps[index]!;
    const region = this.#provenance.valueRegion(index);
    const value = map.firstValue;
    const provenance = this.#provenance;
    provenance.kind[region] = KIND.value;
    provenance.movable[region] = 1;
    provenance.lowest[region] = value;
    provenance.size[region] = map.valueSize;
    provenance.detail[region] = index;
    // Reading frozen data goes the long way, since what is read is known.
    provenance.open(region, map.source.global?.readOnly !== true, map.programWritable);
    return this.#register(value + offset, 0, region);
  }

  function(slot: number): number {
    return this.#register(slot, 0, FUNCTION_REGION);
  }

  kernelVariable(index: number): number {
    return this.#register(KERNEL_VARIABLE_BASE + 8 * index, 0, VARIABLE_REGION);
  }

  /** In the order of their registers. */
  values(): RegisterFile {
    return {
      lo: Int32Array.from(this.#low),
      hi: Int32Array.from(this.#high),
      tag: Int32Array.from(this.#tag),
    };
  }

  #register(low: number, high: number, tag: number): number {
    const name = `${low} ${high} ${tag}`;
    let register = this.#registers.get(name);
    if (register === undefined) {
      register = FIRST_CONSTANT + this.#low.length;
      if (register === MAX_REGISTERS) throw new RangeError('the programs have more than 65520 constants');
      this.#low.push(low);
      this.#high.push(high);
      this.#tag.push(tag);
      this.#registers.set(name, register);
    }
    return register;
  }
}
