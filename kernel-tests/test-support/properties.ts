/**
 * Settings of fast-check for every test file; vitest loads this first (`setupFiles`).
 *
 * Every run tries the same values, so that a failure is one that others see, too; XDPSIM_PROPERTY_SEED tries others.
 *
 * fast-check's own default keeps arrays and strings at ten elements, whatever `maxLength` says. Here a maximum that
 * a property names is one that it reaches; only what names none stays small.
 *
 * `configureGlobal` replaces all settings, so no test file calls it.
 */
import fc from 'fast-check';

fc.configureGlobal({
  seed: Number(process.env.XDPSIM_PROPERTY_SEED ?? 1624),
  defaultSizeToMaxWhenMaxSpecified: true,
});
