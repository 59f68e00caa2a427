/**
 * Reading JSON strictly: decoders that know the shape and say at which place the document has another.
 *
 * What comes out has every type that the decoder promises; every error is a TypeError that begins with the place,
 * `world.devices[0].mac: …`.
 */

/** Makes a value of JSON, or throws a TypeError that begins with the place. */
export type Decoder<Value> = (json: unknown, place: string) => Value;

/** One decoder for each field of `Value`; those of `required` must be there. */
export function object<Value extends object>(
  fields: { readonly [Name in keyof Required<Value>]: Decoder<NonNullable<Value[Name]>> },
  required: readonly (keyof Value & string)[],
): Decoder<Value> {
  const decoders = new Map<string, Decoder<unknown>>(Object.entries(fields));
  return (json, place) => {
    const items = entries(json, place).map(([name, item]) => {
      const decoder = decoders.get(name);
      if (decoder === undefined) throw new TypeError(`${place}: the unknown field ${JSON.stringify(name)}`);
      return [name, decoder(item, `${place}.${name}`)] as const;
    });
    const value = Object.fromEntries(items);
    for (const name of required) {
      if (!Object.hasOwn(value, name)) throw new TypeError(`${place}: "${name}" is missing`);
    }
    return value as Value;
  };
}

export function record<Value>(item: Decoder<Value>): Decoder<Readonly<Record<string, Value>>> {
  return (json, place) =>
    Object.fromEntries(entries(json, place).map(([name, value]) => [name, item(value, `${place}.${name}`)]));
}

export function list<Value>(item: Decoder<Value>): Decoder<readonly Value[]> {
  return (json, place) => {
    if (!Array.isArray(json)) throw new TypeError(`${place}: not a list`);
    return json.map((value, index) => item(value, `${place}[${index}]`));
  };
}

export function oneOf<Value extends string>(...values: readonly Value[]): Decoder<Value> {
  return (json, place) => {
    const value = values.find((candidate) => candidate === json);
    if (value === undefined) throw new TypeError(`${place}: none of ${values.join(', ')}`);
    return value;
  };
}

export const text: Decoder<string> = (json, place) => {
  if (typeof json !== 'string') throw new TypeError(`${place}: not a string`);
  return json;
};

export const flag: Decoder<boolean> = (json, place) => {
  if (typeof json !== 'boolean') throw new TypeError(`${place}: neither true nor false`);
  return json;
};

export const uint32: Decoder<number> = (json, place) => {
  if (typeof json !== 'number' || !Number.isInteger(json) || json < 0 || json > 0xffff_ffff) {
    throw new TypeError(`${place}: not an integer from 0 to 4294967295`);
  }
  return json;
};

export const bytes: Decoder<Uint8Array> = (json, place) => {
  const hex = only('hex', json, place);
  if (typeof hex !== 'string' || hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) {
    throw new TypeError(`${place}: "hex" is not an even number of hexadecimal digits`);
  }
  const value = new Uint8Array(hex.length / 2);
  for (let at = 0; at < value.length; at++) {
    value[at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  }
  return value;
};

/** The value of an object's only field. */
export function only(name: string, json: unknown, place: string): unknown {
  const fields = entries(json, place);
  if (fields.length !== 1 || fields[0]?.[0] !== name) {
    throw new TypeError(`${place}: not an object with "${name}" alone`);
  }
  return fields[0][1];
}

export function entries(json: unknown, place: string): [string, unknown][] {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new TypeError(`${place}: not an object`);
  }
  return Object.entries(json);
}
