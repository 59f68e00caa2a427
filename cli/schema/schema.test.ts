import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { jsonSchemaText } from './json-schema.ts';
import { publishedSchemas } from './register.ts';

it.each(publishedSchemas)('docs/schema/$name.json is what the schema says (npm run schema)', (schema) => {
  expect(readFileSync(packageFile(`docs/schema/${schema.name}.json`), 'utf8')).toBe(jsonSchemaText(schema));
});

it('publishes nothing else', () => {
  const names = publishedSchemas.map(({ name }) => `${name}.json`).sort();
  expect(readdirSync(packageFile('docs/schema')).sort()).toEqual(names);
});

it('has for --map all that a map may take: members, prefixes, what is in maps inside, rows without keys', () => {
  const map = JSON.parse(readFileSync(packageFile('docs/schema/map.json'), 'utf8'));
  const { properties, required } = map.items;
  expect(required).toEqual(['value']);
  const world = JSON.parse(readFileSync(packageFile('docs/schema/world-file.json'), 'utf8'));
  const [rows] = world.properties.maps.additionalProperties.anyOf;
  expect(map.items).toEqual(rows.items);
  for (const one of [properties.key, properties.value]) {
    expect(Object.keys(one)).toEqual(['description']);
    expect(one.description).toContain('docs/worlds.md');
  }
});

it('marks what must be there, and refuses unknown fields, as the schemas do', () => {
  const scenario = JSON.parse(readFileSync(packageFile('docs/schema/scenario.json'), 'utf8'));
  expect(scenario.required).toEqual(['name', 'description', 'namespaces', 'wires', 'steps']);
  expect(scenario.additionalProperties).toBe(false);
  // For editors, the file itself may name the schema.
  expect(scenario.properties.$schema).toEqual({ type: 'string' });
  const device = scenario.properties.namespaces.additionalProperties.properties.devices.items;
  expect(device.required).toEqual(['name', 'ifindex', 'mac']);
  expect(device.properties.ifindex).toEqual({ type: 'integer', minimum: 2, maximum: 0x7fff_ffff });
});
